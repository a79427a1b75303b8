//! Scripted clusters: what the machine does is written down, one word for each action, and what happens meanwhile is
//! said by the script. Time passes by itself: a quarter of a second for each look, two seconds for each command.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::fit;
use super::super::order::Kind;
use super::super::progress::{Progress, State};
use super::super::snapshot::{Node, Peer, Snapshot, View, Worker};
use super::{Action, End, Event, Machine, Rules, What};

/// Looks after which a machine that does not end has lost its way.
const LOOKS_MAX: u32 = 10_000;

/// Between two heartbeats of a worker.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// From here on a silent worker is no longer healthy.
const SILENCE_MAX: Duration = Duration::from_millis(7_500);

/// A cluster that does what the script says.
struct Fake {
    names: Vec<String>,
    learners: BTreeSet<String>,
    away: BTreeSet<String>,
    unready: BTreeSet<String>,
    behind: BTreeMap<String, u64>,
    leader: usize,
    /// Whether the leader hands over when it is asked.
    hands_over: bool,
    committed: u64,
    now: Duration,
    started: BTreeMap<String, Duration>,
    versions: BTreeMap<String, String>,
    workers: Vec<String>,
    /// When a worker ends.
    ended: BTreeMap<String, Duration>,
    /// Everything that was done, in words.
    done: Vec<String>,
}

impl Fake {
    /// `n1`, `n2` ..., all well; the first leads.
    fn of(count: usize) -> Self {
        Self {
            names: (1..=count).map(|number| format!("n{number}")).collect(),
            learners: BTreeSet::new(),
            away: BTreeSet::new(),
            unready: BTreeSet::new(),
            behind: BTreeMap::new(),
            leader: 0,
            hands_over: true,
            committed: 1_000,
            now: Duration::ZERO,
            started: BTreeMap::new(),
            versions: BTreeMap::new(),
            workers: Vec::new(),
            ended: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    fn voters(&self) -> impl Iterator<Item = &String> {
        self.names.iter().filter(|name| !self.learners.contains(*name))
    }

    fn up(&self, name: &str) -> bool {
        !self.away.contains(name)
    }

    /// Another voter that is up leads, when the one that led is away.
    fn elect(&mut self) {
        let up = self.voters().filter(|name| self.up(name)).count();
        if up >= fit::majority(self.voters().count()) && !self.up(&self.names[self.leader]) {
            let able = |name: &String| self.up(name) && !self.learners.contains(name);
            self.leader = self.names.iter().position(able).unwrap();
        }
    }

    /// When a worker was heard of last: when it started, and then with every heartbeat while it was up.
    fn heard(&self, worker: &str) -> Duration {
        let started = self.started.get(worker).copied().unwrap_or_default();
        let ended = self.ended.get(worker).map_or(self.now, |ended| self.now.min(*ended));
        let beats = ended.saturating_sub(started).as_millis() / HEARTBEAT.as_millis();
        started + HEARTBEAT * u32::try_from(beats).unwrap()
    }

    fn look(&self) -> Snapshot {
        let up = self.voters().filter(|name| self.up(name)).count();
        let led = up >= fit::majority(self.voters().count()) && self.up(&self.names[self.leader]);
        let leader = if led { self.names[self.leader].clone() } else { String::new() };
        let peer = |name: &String| Peer {
            name: name.clone(),
            voter: !self.learners.contains(name),
            connected: self.up(name),
            rtt_us: None,
        };
        let view = |name: &String| View {
            leads: *name == leader,
            leader: leader.clone(),
            term: 7,
            committed: self.committed,
            applied: self.committed - self.behind.get(name).copied().unwrap_or_default(),
            version: self.versions.get(name).cloned().unwrap_or_else(|| "1".to_owned()),
            uptime_ms: u64::try_from(
                self.started.get(name).map_or(Duration::from_secs(9_000), |at| self.now - *at).as_millis(),
            )
            .unwrap(),
            ready: if self.unready.contains(name) { Err("in doubt".to_owned()) } else { Ok(()) },
            peers: self.names.iter().filter(|other| *other != name).map(peer).collect(),
        };
        let node = |name: &String| Node {
            name: name.clone(),
            view: if self.up(name) { Ok(view(name)) } else { Err("no answer".to_owned()) },
        };
        let worker = |name: &String| {
            let heard = self.heard(name);
            Worker {
                name: name.clone(),
                healthy: self.now < heard + SILENCE_MAX,
                last_seen_ms: u64::try_from(heard.as_millis()).unwrap(),
            }
        };
        Snapshot {
            nodes: self.names.iter().map(node).collect(),
            workers: Ok(self.workers.iter().map(worker).collect()),
        }
    }

    /// What a command does when nothing is wrong: the host is back at once with the other version.
    fn command(&mut self, name: &str, what: What) -> Result<(), String> {
        self.away.remove(name);
        self.unready.remove(name);
        self.ended.remove(name);
        self.started.insert(name.to_owned(), self.now);
        let version = if what == What::Update { "2" } else { "1" };
        self.versions.insert(name.to_owned(), version.to_owned());
        Ok(())
    }
}

/// What comes of a command.
type Script<'a> = Box<dyn FnMut(&mut Fake, &str, What) -> Result<(), String> + 'a>;

/// A rollout over a fake cluster. The script says what comes of each command; `each` sees every look before it is made.
struct Run<'a> {
    fake: Fake,
    rules: Rules,
    script: Script<'a>,
    each: Box<dyn FnMut(&mut Fake) + 'a>,
    /// Asked to stop when this was done.
    stop_after: Option<&'static str>,
}

impl<'a> Run<'a> {
    fn of(fake: Fake) -> Self {
        let rules = Rules {
            wait: Duration::from_secs(30),
            steady: Duration::from_secs(2),
            unavailable_ok: false,
            goes_back: true,
        };
        let script = Box::new(|fake: &mut Fake, name: &str, what| fake.command(name, what));
        Self { fake, rules, script, each: Box::new(|_| ()), stop_after: None }
    }

    fn script(mut self, script: impl FnMut(&mut Fake, &str, What) -> Result<(), String> + 'a) -> Self {
        self.script = Box::new(script);
        self
    }

    fn each(mut self, each: impl FnMut(&mut Fake) + 'a) -> Self {
        self.each = Box::new(each);
        self
    }

    /// To the end: what was done, how it ended, how far each host is.
    fn run(mut self) -> (Vec<String>, End, Vec<State>) {
        let nodes = self.fake.names.iter().map(|name| Progress::new(name.clone(), Kind::Node));
        let workers = self.fake.workers.iter().map(|name| Progress::new(name.clone(), Kind::Worker));
        let mut machine = Machine::new(nodes.chain(workers).collect(), self.rules);
        let mut event = Event::Looked(self.fake.look());
        for _ in 0..LOOKS_MAX {
            let fake = &mut self.fake;
            event = match machine.next(event, fake.now) {
                Action::Look { .. } => {
                    fake.now += Duration::from_millis(250);
                    fake.committed += 10;
                    (self.each)(fake);
                    fake.elect();
                    Event::Looked(fake.look())
                }
                Action::HandOver { from, to } => {
                    assert_eq!(to, None, "no round trip is known");
                    assert_eq!(from, fake.names[fake.leader]);
                    fake.done.push(format!("{from} hands over"));
                    if fake.hands_over {
                        let other = fake.names.iter().position(|name| *name != from && fake.up(name));
                        fake.leader = other.unwrap();
                        Event::HandedOver(Ok(()))
                    } else {
                        fake.now += Duration::from_secs(1);
                        Event::HandedOver(Err("not caught up".to_owned()))
                    }
                }
                Action::Run { host, what } => {
                    let name = machine.hosts[host].name.clone();
                    fake.done.push(format!("{what:?} {name}").to_lowercase());
                    fake.now += Duration::from_secs(2);
                    let result = (self.script)(fake, &name, what);
                    fake.elect();
                    Event::Ran(result)
                }
                Action::End(end) => {
                    let states = machine.hosts.iter().map(|host| host.state).collect();
                    return (std::mem::take(&mut fake.done), end, states);
                }
            };
            if self.stop_after.is_some_and(|word| self.fake.done.last().is_some_and(|last| last == word)) {
                machine.stop();
            }
        }
        panic!("it does not end: {:?}", self.fake.done);
    }
}

use State::{Failed, RolledBack, Untouched, Updated};

fn why(end: &End) -> &str {
    match end {
        End::Stuck(why, _) | End::RolledBack(why) | End::Stopped(why) => why,
        End::Updated | End::Interrupted => "",
    }
}

#[test]
fn one_after_the_other_the_leader_last_after_it_handed_over() {
    for count in [3, 5] {
        let (done, end, states) = Run::of(Fake::of(count)).run();
        let mut expected: Vec<String> = (2..=count).map(|number| format!("update n{number}")).collect();
        expected.extend(["n1 hands over".to_owned(), "update n1".to_owned()]);
        assert_eq!((done, end), (expected, End::Updated));
        assert!(states.iter().all(|state| *state == Updated));
    }
}

#[test]
fn learners_come_first_and_workers_after_the_nodes() {
    let mut fake = Fake::of(4);
    fake.learners.insert("n4".to_owned());
    fake.workers = vec!["w1".to_owned()];
    let (done, end, _) = Run::of(fake).run();
    let expected = ["update n4", "update n2", "update n3", "n1 hands over", "update n1", "update w1"];
    assert_eq!((done.as_slice(), end), (expected.map(str::to_owned).as_slice(), End::Updated));
}

#[test]
fn a_leader_that_moves_in_the_middle_is_last_wherever_it_is() {
    let (done, end, _) = Run::of(Fake::of(3))
        .script(|fake, name, what| {
            if name == "n2" {
                fake.leader = 2;
            }
            fake.command(name, what)
        })
        .run();
    assert_eq!(done, ["update n2", "update n1", "n3 hands over", "update n3"]);
    assert_eq!(end, End::Updated);
}

#[test]
fn a_leader_that_keeps_leadership_is_not_restarted_with_it() {
    let mut fake = Fake::of(3);
    fake.hands_over = false;
    let (done, end, states) = Run::of(fake).run();
    assert!(!done.contains(&"update n1".to_owned()), "{done:?}");
    assert!(matches!(&end, End::RolledBack(why) if why.ends_with("over: not caught up")), "{end:?}");
    assert_eq!(states, [Untouched, RolledBack, RolledBack]);
}

#[test]
fn a_node_that_does_not_come_back_goes_back_and_then_those_before_it() {
    let (done, end, states) = Run::of(Fake::of(5))
        .script(|fake, name, what| {
            fake.command(name, what)?;
            if name == "n3" && what == What::Update {
                fake.away.insert("n3".to_owned());
            }
            Ok(())
        })
        .run();
    assert_eq!(done, ["update n2", "update n3", "rollback n3", "rollback n2"]);
    assert!(matches!(&end, End::RolledBack(why) if why.starts_with("n3: does not answer")), "{end:?}");
    assert_eq!(states, [Untouched, RolledBack, RolledBack, Untouched, Untouched]);
}

#[test]
fn a_command_that_fails_may_have_done_a_part_and_is_undone() {
    let (done, end, states) = Run::of(Fake::of(3))
        .script(|fake, name, what| match (name, what) {
            ("n2", What::Update) => Err("exit status: 1".to_owned()),
            _ => fake.command(name, what),
        })
        .run();
    assert_eq!(done, ["update n2", "rollback n2"]);
    assert_eq!(end, End::RolledBack("n2: exit status: 1".to_owned()));
    assert_eq!(states, [Untouched, RolledBack, Untouched]);
}

#[test]
fn a_node_that_is_well_and_then_not_is_no_success() {
    // Well in the first looks after its command, then it crashes again and again.
    let broken = |fake: &mut Fake| {
        if fake.versions.get("n2").is_some_and(|version| version == "2") {
            let up = fake.now - fake.started["n2"];
            if up.as_millis() % 2_000 >= 1_500 {
                fake.away.insert("n2".to_owned())
            } else {
                fake.away.remove("n2")
            };
        }
    };
    let (done, end, _) = Run::of(Fake::of(3)).each(broken).run();
    assert_eq!(done, ["update n2", "rollback n2"]);
    assert!(why(&end).starts_with("n2: does not answer"), "{end:?}");
}

#[test]
fn a_node_that_is_lost_after_its_step_is_noticed_before_the_next() {
    let lost = |fake: &mut Fake| {
        if fake.done.len() == 2 && fake.now > Duration::from_secs(6) && fake.versions["n2"] == "2" {
            fake.away.insert("n2".to_owned());
        }
    };
    let (done, end, states) = Run::of(Fake::of(5)).each(lost).run();
    assert_eq!(done, ["update n2", "update n3", "rollback n3", "rollback n2"]);
    assert!(why(&end).contains("n2 does not answer"), "{end:?}");
    assert_eq!(states, [Untouched, RolledBack, RolledBack, Untouched, Untouched]);
}

#[test]
fn a_rollback_that_fails_stops_everything_and_says_so() {
    let (done, end, states) = Run::of(Fake::of(5))
        .script(|fake, name, what| {
            fake.command(name, what)?;
            match (name, what) {
                ("n3", What::Rollback) => Err("ssh: no route".to_owned()),
                ("n3", What::Update) => {
                    fake.away.insert("n3".to_owned());
                    Ok(())
                }
                _ => Ok(()),
            }
        })
        .run();
    assert_eq!(done, ["update n2", "update n3", "rollback n3"]);
    assert!(matches!(&end, End::Stuck(_, why) if why == "n3: ssh: no route"), "{end:?}");
    assert_eq!(states, [Untouched, Updated, Failed, Untouched, Untouched]);
}

#[test]
fn nothing_is_rolled_back_that_a_majority_needs() {
    // Two of three are changed; the second stays away whatever is done, so the first must not be taken.
    let (done, end, states) = Run::of(Fake::of(3))
        .script(|fake, name, what| {
            fake.command(name, what)?;
            if name == "n3" {
                fake.away.insert("n3".to_owned());
            }
            Ok(())
        })
        .run();
    assert_eq!(done, ["update n2", "update n3", "rollback n3"]);
    assert!(matches!(&end, End::Stuck(_, why) if why.starts_with("n3: does not answer")), "{end:?}");
    assert_eq!(states, [Untouched, Updated, Failed]);
    // While the second one is brought back, the third one is lost: then the first must not be taken.
    let (done, end, states) = Run::of(Fake::of(3))
        .script(|fake, name, what| match (name, what) {
            ("n3", What::Update) => Err("exit status: 1".to_owned()),
            ("n3", What::Rollback) => {
                fake.away.insert("n1".to_owned());
                fake.command(name, what)
            }
            _ => fake.command(name, what),
        })
        .run();
    assert_eq!(done, ["update n2", "update n3", "rollback n3"]);
    let why = "n2: it serves, and without it 1 voters would be left of 2 that are needed";
    assert_eq!(end, End::Stuck("n3: exit status: 1".to_owned(), why.to_owned()));
    assert_eq!(states, [Untouched, Updated, RolledBack]);
    // The last one is lost after it was well, and another that was not touched with it.
    let two_lost = |fake: &mut Fake| {
        if fake.done.len() == 3 && fake.now > Duration::from_secs(12) {
            fake.away.extend(["n1".to_owned(), "n5".to_owned()]);
        }
    };
    let (done, end, _) = Run::of(Fake::of(5)).each(two_lost).run();
    assert_eq!(done, ["update n2", "update n3", "update n4"]);
    assert!(matches!(&end, End::Stopped(why) if why.contains("n5 does not answer")), "{end:?}");
}

#[test]
fn without_a_leader_no_node_that_answers_is_taken() {
    let (done, end, _) = Run::of(Fake::of(3))
        .script(|fake, name, what| {
            fake.command(name, what)?;
            fake.away.extend(["n1".to_owned(), "n3".to_owned()]);
            Ok(())
        })
        .run();
    assert_eq!(done, ["update n2"]);
    assert!(matches!(&end, End::Stuck(_, why) if why == "n2: it answers, and no node leads"), "{end:?}");
}

#[test]
fn a_host_that_was_not_touched_and_is_away_stops_it_and_nothing_goes_back() {
    let lost = |fake: &mut Fake| {
        if fake.done.len() == 1 && fake.now > Duration::from_secs(4) {
            fake.away.insert("n3".to_owned());
        }
    };
    let (done, end, states) = Run::of(Fake::of(3)).each(lost).run();
    assert_eq!(done, ["update n2"]);
    assert!(matches!(&end, End::Stopped(why) if why.starts_with("n3 does not answer")), "{end:?}");
    assert_eq!(states, [Untouched, Updated, Untouched]);
}

#[test]
fn without_a_way_back_it_stops_where_it_is() {
    let mut run = Run::of(Fake::of(3)).script(|_, _, _| Err("exit status: 1".to_owned()));
    run.rules.goes_back = false;
    let (done, end, states) = run.run();
    assert_eq!(done, ["update n2"]);
    assert_eq!(end, End::Stopped("n2: exit status: 1".to_owned()));
    assert_eq!(states, [Untouched, Failed, Untouched]);
}

#[test]
fn the_next_step_waits_until_every_node_has_caught_up() {
    // The node is back at once, and has everything only after ten seconds.
    let mut caught_up = None;
    let lag = |fake: &mut Fake| {
        let Some(started) = fake.started.get("n2") else { return };
        let since = fake.now - *started;
        if since < Duration::from_secs(10) {
            fake.behind.insert("n2".to_owned(), 500);
        } else {
            fake.behind.remove("n2");
            caught_up.get_or_insert(fake.done.len());
        }
    };
    let (_, end, _) = Run::of(Fake::of(3)).each(lag).run();
    assert_eq!((end, caught_up), (End::Updated, Some(1)), "nothing else was done before it had caught up");
}

#[test]
fn a_stop_between_steps_ends_it_and_within_one_waits_for_its_end() {
    let mut run = Run::of(Fake::of(3));
    run.stop_after = Some("update n2");
    let (done, end, states) = run.run();
    assert_eq!((done, end), (vec!["update n2".to_owned()], End::Interrupted));
    assert_eq!(states, [Untouched, Updated, Untouched]);
    // In a step that fails, what was begun still goes back.
    let mut run = Run::of(Fake::of(3)).script(|fake, name, what| match what {
        What::Update if name == "n3" => Err("exit status: 1".to_owned()),
        _ => fake.command(name, what),
    });
    run.stop_after = Some("update n3");
    let (done, end, _) = run.run();
    assert_eq!(done, ["update n2", "update n3", "rollback n3", "rollback n2"]);
    assert!(matches!(end, End::RolledBack(_)), "{end:?}");
}

#[test]
fn one_or_two_voters_are_taken_only_by_leave() {
    for count in [1, 2] {
        let (done, end, _) = Run::of(Fake::of(count)).run();
        assert_eq!(done, [""; 0]);
        assert!(matches!(&end, End::Stopped(why) if why.contains("while")), "{end:?}");
        let mut run = Run::of(Fake::of(count));
        run.rules.unavailable_ok = true;
        let (done, end, _) = run.run();
        let expected: &[&str] =
            if count == 1 { &["update n1"] } else { &["update n2", "n1 hands over", "update n1"] };
        assert_eq!(
            (done.as_slice(), end),
            (expected.iter().map(|&word| word.to_owned()).collect::<Vec<_>>().as_slice(), End::Updated)
        );
    }
}

#[test]
fn a_worker_that_ends_again_goes_back_and_everything_before_it() {
    // At once, before its first heartbeat, and just after it: then it looks healthy for longer than a host is watched.
    for lives_ms in [0, 4_000, 6_000] {
        let mut fake = Fake::of(3);
        fake.workers = vec!["w1".to_owned(), "w2".to_owned()];
        let (done, end, states) = Run::of(fake)
            .script(|fake, name, what| {
                fake.command(name, what)?;
                if name == "w1" && what == What::Update {
                    fake.ended.insert("w1".to_owned(), fake.now + Duration::from_millis(lives_ms));
                }
                Ok(())
            })
            .run();
        let end_of = &done[4..];
        assert_eq!(
            end_of,
            ["update w1", "rollback w1", "rollback n1", "rollback n3", "n2 hands over", "rollback n2"],
            "{lives_ms}"
        );
        assert!(why(&end).starts_with("w1: sends no heartbeats"), "{lives_ms}: {end:?}");
        assert_eq!(states[3..], [RolledBack, Untouched], "{lives_ms}");
    }
}

#[test]
fn a_cluster_that_does_not_answer_is_no_lost_worker() {
    let mut fake = Fake::of(3);
    fake.workers = vec!["w1".to_owned()];
    let mut seen = fake.look();
    assert_eq!(fit::worker_problem(&seen, "w2", None).unwrap(), "is not known to the cluster");
    seen.workers = Err("no answer within 2 s".to_owned());
    assert_eq!(fit::worker_problem(&seen, "w1", None).unwrap(), "cannot be asked for: no answer within 2 s");
    assert_eq!(seen.heard_ms("w1"), None);
}

#[test]
fn leadership_goes_to_the_voter_that_reaches_a_majority_soonest() {
    let fake = Fake::of(5);
    let mut seen = fake.look();
    assert_eq!(fit::successor(&seen, "n1"), None, "nothing is known");
    // n4 has the nearest peer, n3 the nearest two.
    let rtts = [
        ("n2", [50, 60, 70, 80]),
        ("n3", [20, 30, 90, 90]),
        ("n4", [1, 40, 90, 90]),
        ("n5", [2, 45, 50, 60]),
    ];
    for (name, rtts) in rtts {
        let node = seen.nodes.iter_mut().find(|node| node.name == name).unwrap();
        for (peer, rtt) in node.view.as_mut().unwrap().peers.iter_mut().zip(rtts) {
            peer.rtt_us = Some(rtt);
        }
    }
    assert_eq!(fit::successor(&seen, "n1").as_deref(), Some("n3"));
    seen.nodes[2].view.as_mut().unwrap().ready = Err("in doubt".to_owned());
    assert_eq!(fit::successor(&seen, "n1").as_deref(), Some("n4"), "one that does not serve gets nothing");
}

#[test]
fn versions_and_restarts_are_noted() {
    let fake = Fake::of(3);
    let mut machine = Machine::new(
        vec![Progress::new("n2".to_owned(), Kind::Node)],
        Rules {
            wait: Duration::from_secs(9),
            steady: Duration::ZERO,
            unavailable_ok: false,
            goes_back: false,
        },
    );
    let mut fake = fake;
    let run = machine.next(Event::Looked(fake.look()), fake.now);
    assert_eq!(run, Action::Run { host: 0, what: What::Update });
    fake.now = Duration::from_secs(3);
    fake.command("n2", What::Update).unwrap();
    machine.next(Event::Ran(Ok(())), fake.now);
    fake.now = Duration::from_secs(4);
    machine.next(Event::Looked(fake.look()), fake.now);
    let host = &machine.hosts[0];
    assert_eq!((host.version_before.as_deref(), host.version_after.as_deref()), (Some("1"), Some("2")));
    assert_eq!((host.restarted, host.took), (Some(true), Some(Duration::from_secs(4))));
}
