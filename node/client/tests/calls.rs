//! Calls to nodes that lead, follow, swallow, refuse or are not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use farquorum_client::wire::Reason;
use farquorum_client::{ClientError, NodeAddress, Timing};
use support::{Mood, Node, cluster, generous, listener, pki, slowly, timing};
use tokio::time::Instant;

#[tokio::test]
async fn the_leader_is_followed_and_remembered() {
    let dir = pki();
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Leads).await;
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
    let cluster = cluster(dir.path(), vec![a.at(), b.at()], generous());
    cluster.kv().set("k", "v").await.unwrap();
    assert_eq!(a.callers(), ["spiffe://lab/client/me"]);
    a.set(Mood::Follows(b.hint()));
    cluster.kv().set("k", "v").await.unwrap();
    cluster.kv().set("k", "v").await.unwrap();
    assert_eq!((a.callers().len(), b.callers().len()), (2, 2), "one hint, then straight to the leader");
}

#[tokio::test]
async fn a_leader_that_is_not_in_the_settings_is_reached_by_its_address() {
    let dir = pki();
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Follows(b.hint())).await;
    let port = a.address.rsplit(':').next().unwrap();
    let unnamed = NodeAddress { name: None, address: format!("localhost:{port}") };
    cluster(dir.path(), vec![unnamed], generous()).kv().set("k", "v").await.unwrap();
    assert_eq!(b.callers().len(), 1);
}

#[tokio::test]
async fn the_name_of_the_leader_counts_more_than_its_address() {
    let dir = pki();
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
    let inside = farquorum_client::wire::LeaderHint { address: "192.0.2.1:50051".to_owned(), ..b.hint() };
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Follows(inside)).await;
    cluster(dir.path(), vec![a.at(), b.at()], generous()).kv().set("k", "v").await.unwrap();
    assert_eq!((a.callers().len(), b.callers().len()), (1, 1));
}

#[tokio::test]
async fn without_a_leader_it_is_tried_until_there_is_one() {
    let dir = pki();
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Says(Reason::NoLeader)).await;
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Follows(a.hint())).await;
    let cluster = cluster(dir.path(), vec![a.at(), b.at()], generous());
    let call = tokio::spawn(async move { cluster.kv().set("k", "v").await });
    while a.callers().len() < 3 {
        tokio::task::yield_now().await;
    }
    a.set(Mood::Leads);
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_node_that_swallows_requests_does_not_eat_the_deadline_of_a_read() {
    let dir = pki();
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Swallows).await;
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
    cluster(dir.path(), vec![a.at(), b.at()], generous()).kv().get("k", false).await.unwrap();
    assert_eq!((a.callers().len(), b.callers().len()), (1, 1));
}

#[tokio::test]
async fn a_write_that_may_have_been_done_is_not_sent_again() {
    let dir = pki();
    for mood in [Mood::Swallows, Mood::Says(Reason::OutcomeUnknown)] {
        let a = Node::start(dir.path(), "cp-aws-1", mood.clone()).await;
        let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
        let cluster = cluster(dir.path(), vec![a.at(), b.at()], timing());
        let error = cluster.kv().set("k", "v").await.unwrap_err();
        assert!(
            matches!(&error, ClientError::OutcomeUnknown { node, .. } if node == "cp-aws-1"),
            "{mood:?}: {error}"
        );
        assert_eq!((a.callers().len(), b.callers().len(), error.exit_code()), (1, 0, 3), "{mood:?}");
    }
}

#[tokio::test]
async fn a_node_that_dies_with_the_request() {
    for write in [true, false] {
        let dir = pki();
        let path = dir.path().to_owned();
        let life =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let a =
            life.spawn(async move { Node::start(&path, "cp-aws-1", Mood::Swallows).await }).await.unwrap();
        let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
        let patient = Timing { attempt: generous().deadline, ..generous() };
        let cluster = cluster(dir.path(), vec![a.at(), b.at()], patient);
        let call = tokio::spawn(async move {
            match write {
                true => cluster.kv().set("k", "v").await.map(|_| ()),
                false => cluster.kv().get("k", false).await.map(|_| ()),
            }
        });
        while a.callers().is_empty() {
            tokio::task::yield_now().await;
        }
        life.shutdown_background();
        let result = call.await.unwrap();
        let unknown = matches!(result, Err(ClientError::OutcomeUnknown { .. }));
        assert_eq!((unknown, b.callers().len()), if write { (true, 0) } else { (false, 1) }, "{result:?}");
    }
}

#[tokio::test]
async fn a_write_that_was_never_sent_goes_to_the_next_node() {
    let dir = pki();
    let ((closed, refuses), (_silent, silent)) = (listener("cp-aws-1").await, listener("cp-aws-1").await);
    drop(closed);
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
    for a in [refuses, silent] {
        cluster(dir.path(), vec![a, b.at()], Timing { connect: timing().connect, ..generous() })
            .kv()
            .set("k", "v")
            .await
            .unwrap();
    }
    assert_eq!(b.callers().len(), 2);
}

#[tokio::test]
async fn a_host_that_is_gone_does_not_cost_the_time_of_a_connection() {
    let dir = pki();
    let (_silent, gone) = listener("cp-aws-1").await;
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Leads).await;
    let start = Instant::now();
    cluster(dir.path(), vec![gone, b.at()], generous()).kv().set("k", "v").await.unwrap();
    assert!(start.elapsed() < generous().connect / 2, "{:?}", start.elapsed());
    assert_eq!(b.callers().len(), 1);
}

#[tokio::test]
async fn a_slow_connection_is_made_once_and_used_when_it_is_there() {
    let dir = pki();
    let (_silent, gone) = listener("cp-gcp-1").await;
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Leads).await;
    // Longer than a call waits for one node.
    let (slow, made) = slowly(&a, Duration::from_millis(900)).await;
    cluster(dir.path(), vec![slow, gone], generous()).kv().set("k", "v").await.unwrap();
    assert_eq!((a.callers().len(), made.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test]
async fn what_no_node_does_in_time_is_not_available() {
    let dir = pki();
    for reason in [Reason::Overloaded, Reason::NoLeader, Reason::ReadOnly] {
        let a = Node::start(dir.path(), "cp-aws-1", Mood::Says(reason)).await;
        let b = Node::start(dir.path(), "cp-gcp-1", Mood::Says(reason)).await;
        let error = cluster(dir.path(), vec![a.at(), b.at()], timing()).kv().set("k", "v").await.unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let ClientError::NotAvailable { tried, deadline, .. } = &error else { panic!("{error}") };
        assert_eq!((tried.len(), *deadline), (2, timing().deadline));
        let text = error.to_string();
        assert!(
            text.contains("cp-aws-1") && text.contains("cp-gcp-1") && text.contains(reason.as_str()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_write_is_not_sent_when_its_answer_could_not_come_in_time() {
    let dir = pki();
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Leads).await;
    // The connection is there in the last tenth of the deadline.
    let late = timing().deadline.mul_f64(0.95);
    let (slow, made) = slowly(&a, late).await;
    let patient = Timing { connect: generous().connect, ..timing() };
    let cluster = cluster(dir.path(), vec![slow], patient);
    let error = cluster.kv().set("k", "v").await.unwrap_err();
    assert!(matches!(error, ClientError::NotAvailable { .. }), "{error}");
    tokio::time::sleep(late).await;
    assert_eq!((made.load(Ordering::Relaxed), a.callers().len()), (1, 0));
}

#[tokio::test]
async fn nodes_that_point_at_each_other_make_no_storm() {
    let dir = pki();
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Leads).await;
    let b = Node::start(dir.path(), "cp-gcp-1", Mood::Follows(a.hint())).await;
    a.set(Mood::Follows(b.hint()));
    let error = cluster(dir.path(), vec![a.at(), b.at()], timing()).kv().set("k", "v").await.unwrap_err();
    assert!(matches!(error, ClientError::NotAvailable { .. }), "{error}");
    // 900 ms with pauses of 12 ms at the least, twice as long each time up to 25: two requests for each.
    assert!(a.callers().len() + b.callers().len() < 150, "{} {}", a.callers().len(), b.callers().len());
}

#[tokio::test]
async fn answers_that_end_a_call() {
    let dir = pki();
    let table = [
        (Reason::Rejected, 4),
        (Reason::KeyConflict, 4),
        (Reason::StaleAttempt, 4),
        (Reason::Permission, 4),
        (Reason::NotFound, 1),
        (Reason::Invalid, 2),
    ];
    let node = Node::start(dir.path(), "cp-aws-1", Mood::Leads).await;
    let cluster = cluster(dir.path(), vec![node.at()], generous());
    for (sent, (reason, code)) in table.into_iter().enumerate() {
        node.set(Mood::Says(reason));
        let error = cluster.kv().get("k", false).await.unwrap_err();
        assert_eq!((error.exit_code(), node.callers().len()), (code, sent + 1), "{reason}: {error}");
        assert!(error.to_string().contains("so it is"), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_that_the_node_refuses_is_told_apart() {
    let dir = pki();
    let other = pki();
    let node = Node::start(dir.path(), "cp-aws-1", Mood::Leads).await;
    // Trusts the node, and calls with a certificate of another authority.
    for file in ["me.crt", "me.key"] {
        std::fs::copy(other.path().join(file), dir.path().join(file)).unwrap();
    }
    let error = cluster(dir.path(), vec![node.at()], generous()).kv().set("k", "v").await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { reason: Reason::Permission, .. }), "{error}");
    assert_eq!((error.exit_code(), node.callers().len()), (4, 0));
}

#[tokio::test]
async fn a_named_node_answers_for_itself() {
    let dir = pki();
    let a = Node::start(dir.path(), "cp-aws-1", Mood::Leads).await;
    let cluster = cluster(dir.path(), vec![a.at()], generous());
    let unknown = cluster.cluster().status_of("cp-none-1").await.unwrap_err();
    assert_eq!(unknown.exit_code(), 2, "{unknown}");
    let unimplemented = cluster.cluster().status_of("cp-aws-1").await.unwrap_err();
    assert!(matches!(unimplemented, ClientError::Failed { .. }), "it was reached: {unimplemented}");
}
