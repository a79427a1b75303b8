//! Who may call what (SEC-1): one table of method and roles. What is not in it is refused, also when it exists.

use farquorum_tls::Role;

/// Anybody with a certificate of this cluster.
const ANYBODY: &[Role] = &Role::ALL;
/// Those who submit work and read.
const USERS: &[Role] = &[Role::Client, Role::Admin];
/// Workers, about themselves: their names are compared in the service.
const WORKERS: &[Role] = &[Role::Worker];
/// A worker about itself, or an operator about any.
const WORKERS_AND_ADMINS: &[Role] = &[Role::Worker, Role::Admin];
/// Operators.
const ADMINS: &[Role] = &[Role::Admin];
/// Other nodes.
const NODES: &[Role] = &[Role::Node];

/// The table. A path is `/package.Service/Method`.
const TABLE: &[(&str, &[Role])] = &[
    ("/farquorum.v1.TaskService/SubmitTask", USERS),
    ("/farquorum.v1.TaskService/SubmitTasks", USERS),
    ("/farquorum.v1.TaskService/GetTask", USERS),
    ("/farquorum.v1.TaskService/ListTasks", USERS),
    ("/farquorum.v1.TaskService/CancelTask", USERS),
    ("/farquorum.v1.WorkerService/RegisterWorker", WORKERS),
    ("/farquorum.v1.WorkerService/Heartbeat", WORKERS),
    ("/farquorum.v1.WorkerService/PollTask", WORKERS),
    ("/farquorum.v1.WorkerService/ReportTaskResult", WORKERS),
    ("/farquorum.v1.WorkerService/DeregisterWorker", WORKERS_AND_ADMINS),
    ("/farquorum.v1.WorkerService/ListWorkers", USERS),
    ("/farquorum.v1.JobService/SubmitJob", USERS),
    ("/farquorum.v1.JobService/GetJob", USERS),
    ("/farquorum.v1.JobService/ListJobs", USERS),
    ("/farquorum.v1.JobService/CancelJob", USERS),
    ("/farquorum.v1.KvService/Set", USERS),
    ("/farquorum.v1.KvService/Get", USERS),
    ("/farquorum.v1.KvService/Delete", USERS),
    ("/farquorum.v1.KvService/CompareAndSet", USERS),
    ("/farquorum.v1.KvService/List", USERS),
    ("/farquorum.v1.ClusterService/GetStatus", ANYBODY),
    ("/farquorum.v1.ClusterService/TransferLeader", ADMINS),
    ("/farquorum.v1.ClusterService/ProbePeers", ADMINS),
    ("/farquorum.v1.RaftService/Stream", NODES),
    ("/farquorum.v1.RaftService/SendSnapshot", NODES),
    ("/grpc.health.v1.Health/Check", ANYBODY),
    ("/grpc.health.v1.Health/Watch", ANYBODY),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ANYBODY),
];

/// The table's row for a path: its name as a constant, and who may call it.
pub(crate) fn row(path: &str) -> Option<(&'static str, &'static [Role])> {
    TABLE.iter().find(|(method, _)| *method == path).copied()
}

/// Whether somebody of this role may call the method.
pub(crate) fn allowed(role: Role, path: &str) -> bool {
    roles(path).contains(&role)
}

/// Who may call the method: nobody when it is not in the table.
pub(crate) fn roles(path: &str) -> &'static [Role] {
    row(path).map_or(&[], |(_, roles)| roles)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// Every method of every service that a node serves, from the descriptors that it serves by reflection.
    fn served() -> BTreeSet<String> {
        let sets = [
            farquorum_proto::FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        ];
        let files = sets.iter().flat_map(|set| FileDescriptorSet::decode(*set).unwrap().file);
        let methods = files.flat_map(|file| {
            let package = file.package().to_owned();
            file.service.into_iter().flat_map(move |service| {
                let prefix = format!("/{package}.{}", service.name());
                service.method.into_iter().map(move |method| format!("{prefix}/{}", method.name()))
            })
        });
        methods.collect()
    }

    #[test]
    fn the_table_holds_every_method_and_no_other() {
        let table: BTreeSet<String> = TABLE.iter().map(|(method, _)| (*method).to_owned()).collect();
        assert_eq!(table.len(), TABLE.len(), "a method stands in two rows");
        assert_eq!(
            served().difference(&table).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "not in the table"
        );
        assert_eq!(table.difference(&served()).collect::<Vec<_>>(), Vec::<&String>::new(), "no such method");
    }

    #[test]
    fn what_is_not_in_the_table_is_refused_to_all() {
        for path in ["/farquorum.v1.KvService/Drop", "/farquorum.v1.KvService/set", "", "/"] {
            assert!(Role::ALL.into_iter().all(|role| !allowed(role, path)), "{path}");
        }
    }

    /// Whoever has a certificate of the cluster may ask whether a node serves, and what it serves.
    #[test]
    fn health_and_reflection_are_for_every_role() {
        let standard = ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/"];
        let is_standard = |path: &&&str| standard.iter().any(|service| path.starts_with(service));
        let methods: Vec<&str> =
            TABLE.iter().map(|(method, _)| method).filter(is_standard).copied().collect();
        assert_eq!(methods.len(), 3, "{methods:?}");
        for method in methods {
            assert_eq!(roles(method), Role::ALL, "{method}");
        }
    }

    #[test]
    fn roles_keep_to_their_side() {
        for (role, method, expected) in [
            (Role::Worker, "/farquorum.v1.ClusterService/TransferLeader", false),
            (Role::Client, "/farquorum.v1.ClusterService/TransferLeader", false),
            (Role::Admin, "/farquorum.v1.ClusterService/TransferLeader", true),
            (Role::Client, "/farquorum.v1.ClusterService/ProbePeers", false),
            (Role::Admin, "/farquorum.v1.RaftService/Stream", false),
            (Role::Worker, "/farquorum.v1.KvService/Set", false),
            (Role::Node, "/farquorum.v1.KvService/Set", false),
            (Role::Client, "/farquorum.v1.WorkerService/ReportTaskResult", false),
            (Role::Worker, "/farquorum.v1.WorkerService/PollTask", true),
        ] {
            assert_eq!(allowed(role, method), expected, "{role} {method}");
        }
    }
}
