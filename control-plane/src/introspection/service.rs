//! The introspection service: takes the questions, and has them answered from what is published and who is connected.

use std::sync::Arc;

use sluice_proto::wire;
use sluice_proto::wire::introspection_server::Introspection;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::introspection::explain::explain;
use crate::introspection::nodes;
use crate::introspection::snapshot::{Filter, snapshot};
use crate::introspection::url::RequestUrl;
use crate::leadership::Leadership;
use crate::publication::{Publication, Publications};
use crate::stream::Nodes;

/// Answers from what is published and who is connected.
pub(super) struct Service {
    pub(super) publications: Publications,
    pub(super) nodes: watch::Receiver<Nodes>,
    pub(super) leadership: watch::Receiver<Leadership>,
}

impl Service {
    fn latest(&self) -> Result<Arc<Publication>, Status> {
        let latest = self.publications.borrow().clone();
        latest.ok_or_else(|| {
            Status::unavailable(
                "there is no snapshot yet: the control plane has not read every object once; its log says what it \
                 waits for",
            )
        })
    }
}

#[tonic::async_trait]
impl Introspection for Service {
    async fn list_nodes(
        &self,
        _: Request<wire::ListNodesRequest>,
    ) -> Result<Response<wire::ListNodesResponse>, Status> {
        let latest = self.latest()?;
        let leadership = self.leadership.borrow().clone();
        let response = nodes::nodes(&self.nodes.borrow(), &latest, &leadership);
        Ok(Response::new(response))
    }

    async fn get_snapshot(
        &self,
        request: Request<wire::GetSnapshotRequest>,
    ) -> Result<Response<wire::GetSnapshotResponse>, Status> {
        let filter = Filter::parse(request.into_inner())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(snapshot(&*self.latest()?, &filter)))
    }

    async fn list_problems(
        &self,
        request: Request<wire::ListProblemsRequest>,
    ) -> Result<Response<wire::ListProblemsResponse>, Status> {
        let namespace = request.into_inner().namespace;
        let latest = self.latest()?;
        let problems = latest.translation.problems.iter();
        let problems = problems
            .filter(|problem| namespace.is_empty() || problem.object.namespace == namespace)
            .map(Into::into)
            .collect();
        let node_problems = nodes::problems(&self.nodes.borrow(), &latest, &namespace);
        Ok(Response::new(wire::ListProblemsResponse {
            problems,
            node_problems,
        }))
    }

    async fn explain(
        &self,
        request: Request<wire::ExplainRequest>,
    ) -> Result<Response<wire::ExplainResponse>, Status> {
        let url = RequestUrl::parse(&request.into_inner().url)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(explain(&*self.latest()?, &url)))
    }
}
