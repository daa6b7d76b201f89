//! What a client without a proto file needs: reflection, health, and clear errors before the first snapshot.

use sluice_proto::wire;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::objects::hosts;
use crate::running::Running;
use crate::wait::until;

const SERVICES: [&str; 4] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "sluice.v1.Introspection",
];

#[tokio::test]
async fn reflection_lists_the_services_that_are_there() {
    use v1::server_reflection_client::ServerReflectionClient;
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;

    let running = Running::start().await;
    let mut client = ServerReflectionClient::new(running.channel().await);
    let mut ask = async |request| {
        let request = v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let stream = client.server_reflection_info(tokio_stream::iter([request]));
        let mut answers = stream.await.unwrap().into_inner();
        answers
            .message()
            .await
            .unwrap()
            .unwrap()
            .message_response
            .unwrap()
    };
    let MessageResponse::ListServicesResponse(list) =
        ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list");
    };
    let mut names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    assert_eq!(names, SERVICES);

    // What a message refers to can be found, file by file, as grpcurl does.
    for symbol in [
        "sluice.v1.Introspection",
        "sluice.v1.Route",
        "sluice.v1.Report.State",
        "grpc.health.v1.Health",
    ] {
        let MessageResponse::FileDescriptorResponse(file) =
            ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await
        else {
            panic!("{symbol} is not described");
        };
        assert!(!file.file_descriptor_proto.is_empty());
    }
    for file in ["sluice/v1/resource.proto", "sluice/v1/stream.proto"] {
        let answer = ask(MessageRequest::FileByFilename(file.to_owned())).await;
        assert!(
            matches!(answer, MessageResponse::FileDescriptorResponse(_)),
            "{file}"
        );
    }
}

#[tokio::test]
async fn older_clients_find_reflection_too() {
    use v1alpha::server_reflection_client::ServerReflectionClient;
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;

    let running = Running::start().await;
    let mut client = ServerReflectionClient::new(running.channel().await);
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let stream = client.server_reflection_info(tokio_stream::iter([request]));
    let mut answers = stream.await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("no list");
    };
    assert_eq!(list.service.len(), SERVICES.len());
}

#[tokio::test]
async fn before_the_first_snapshot_it_says_so() {
    let running = Running::start().await;
    let mut client = running.introspect().await;
    let mut health = HealthClient::new(running.channel().await);
    let mut serving = async |service: &str| {
        let service = service.to_owned();
        let request = HealthCheckRequest { service };
        health.check(request).await.unwrap().into_inner().status()
    };
    assert_eq!(serving("").await, ServingStatus::NotServing);
    assert_eq!(
        serving("sluice.v1.Introspection").await,
        ServingStatus::NotServing
    );
    let url = "http://a.example/".to_owned();
    let errors = [
        client
            .list_nodes(wire::ListNodesRequest {})
            .await
            .unwrap_err(),
        client
            .get_snapshot(wire::GetSnapshotRequest::default())
            .await
            .unwrap_err(),
        client
            .list_problems(wire::ListProblemsRequest::default())
            .await
            .unwrap_err(),
        client
            .explain(wire::ExplainRequest { url })
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), Code::Unavailable);
        assert!(error.message().contains("no snapshot yet"), "{error:?}");
    }

    running.publish(&hosts(&["a.example"]));
    until("it serves", async || {
        let both = [serving("").await, serving("sluice.v1.Introspection").await];
        (both == [ServingStatus::Serving; 2]).then_some(())
    })
    .await;
    client.list_nodes(wire::ListNodesRequest {}).await.unwrap();
}

#[tokio::test]
async fn garbage_disturbs_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let running = Running::with(&hosts(&["a.example"])).await;
    for garbage in [
        &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        &[0xff; 4096],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense",
    ] {
        let mut stream = tokio::net::TcpStream::connect(running.introspection)
            .await
            .unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _: std::io::Result<_> = stream.read_to_end(&mut answer).await;
    }
    let mut client = running.introspect().await;
    client.list_nodes(wire::ListNodesRequest {}).await.unwrap();
}
