//! What the demonstration prints: commands to try. The ones with curl are run by its test as they stand here.

use super::addresses::Addresses;
use super::folder::Folder;

pub(super) fn text(addresses: &Addresses, folder: &Folder) -> String {
    let (one, two, three) = (addresses.http(1), addresses.http(2), addresses.http(3));
    let https = addresses.https(1);
    let introspection = addresses.introspection();
    let (metrics, node_metrics) = (
        addresses.control_plane_metrics(),
        addresses.data_plane_metrics(1),
    );
    let (objects, logs) = (folder.objects(), folder.logs());
    let (objects, logs, folder) = (objects.display(), logs.display(), folder.path().display());
    format!(
        "\
The Ingresses in {objects} are live on 3 of 3 nodes.

Each of three hosts through each of three nodes:
  curl -H 'Host: api.myhoneydue.com' http://{one}/hello
  curl -H 'Host: myhoneydue.com' http://{two}/hello
  curl -H 'Host: admin.myhoneydue.com' http://{three}/hello
Over TLS, with the default certificate (nobody's: hence --insecure), and HTTP/2:
  curl --insecure --resolve api.myhoneydue.com:{https_port}:127.0.0.1 https://api.myhoneydue.com:{https_port}/hello
A host that no Ingress names: 404, and Proxy-Status says why:
  curl -i -H 'Host: nobody.example.com' http://{one}/hello
An answer as it comes, and a body there and back:
  curl -N -H 'Host: api.myhoneydue.com' 'http://{one}/?chunks=5&interval_ms=300'
  curl -H 'Host: api.myhoneydue.com' --data 'there and back' http://{one}/echo
A WebSocket that returns every message (with websocat):
  websocat -H 'Host: api.myhoneydue.com' ws://{one}/

Change something: edit {objects}/ingresses.yaml, and ask again.

Look inside, with grpcurl and with metrics:
  grpcurl -plaintext {introspection} list
  grpcurl -plaintext {introspection} sluice.v1.Introspection/ListNodes
  grpcurl -plaintext {introspection} sluice.v1.Introspection/ListProblems
  grpcurl -plaintext -d '{{\"url\": \"http://api.myhoneydue.com/hello\"}}' {introspection} sluice.v1.Introspection/Explain
  curl http://{metrics}/metrics
  curl http://{node_metrics}/metrics

Logs, with a line for each request, are in {logs}.
Ctrl-C ends everything and removes {folder}.
",
        https_port = https.port()
    )
}
