//! A scenario as a person writes it (YAML): a name and timed steps, each with exactly one action. Values are judged
//! while they are read, so that a mistake is named with its line and column.

use std::fmt;
use std::time::Duration;

use farquorum_config::ShapeKeys;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Most steps: more than anybody writes by hand.
const STEPS_MAX: usize = 1_000;

/// A scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// What it is called.
    pub(crate) name: String,
    /// In any order; they are played by their time.
    #[serde(deserialize_with = "bounded")]
    pub(crate) steps: Vec<Step>,
}

/// One action at a time.
#[derive(Debug)]
pub(crate) struct Step {
    /// After the start.
    pub(crate) at: Duration,
    /// What happens.
    pub(crate) action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Change keys of both directions of a link.
    Link(Box<Change>),
    /// Take the RTT from one value to another, evenly.
    Ramp(Ramp),
    /// Cut a pair both ways and heal it, again and again.
    Flap(Flap),
    /// Drop everything one way.
    Cut(Way),
    /// Cut a cloud or host off.
    Isolate(String),
    /// Undo cuts.
    Heal(Healed),
    /// SIGKILL a host's process; `leader`: of the node that leads.
    Kill(String),
    /// SIGSTOP; `leader` as for kill.
    Pause(String),
    /// SIGCONT; `leader`: the one that was paused or killed last.
    Resume(String),
    /// Start again; `leader` as for resume.
    Restart(String),
    /// Fail the scenario unless this holds.
    Expect(Expectation),
}

impl Action {
    /// What it does, for people; an expectation is said when it is known to hold.
    pub(crate) fn words(&self) -> Option<String> {
        Some(match self {
            Self::Link(change) => {
                let [one, other] = &change.between;
                let keys = serde_json::to_value(&change.set.0).unwrap_or_default();
                let set = keys.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
                let set: Vec<String> = set.map(|(key, value)| format!("{key} = {value}")).collect();
                format!("link {one} - {other}: {}", set.join(", "))
            }
            Self::Ramp(ramp) => {
                let ([one, other], over) = (&ramp.between, ramp.over_s.0.as_secs_f64());
                let (from, to) = (ramp.from_rtt_ms.0, ramp.to_rtt_ms.0);
                format!("link {one} - {other}: RTT from {from} to {to} ms within {over} s")
            }
            Self::Flap(flap) => {
                let [one, other] = &flap.between;
                let (down, up) = (flap.down_s.0.as_secs_f64(), flap.up_s.0.as_secs_f64());
                format!("link {one} - {other}: {} times cut for {down} s and whole for {up} s", flap.times)
            }
            Self::Cut(Way { from, to }) => format!("cut {from} -> {to}"),
            Self::Isolate(name) => format!("isolate {name}"),
            Self::Heal(Healed::Name(name)) => format!("heal {name}"),
            Self::Heal(Healed::Way(Way { from, to })) => format!("heal {from} -> {to}"),
            Self::Kill(host) => format!("kill {host}"),
            Self::Pause(host) => format!("pause {host}"),
            Self::Resume(host) => format!("resume {host}"),
            Self::Restart(host) => format!("restart {host}"),
            Self::Expect(_) => return None,
        })
    }
}

/// New values for keys of a link, both ways.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// Its two clouds.
    pub(crate) between: [String; 2],
    /// The keys, as in the configuration.
    pub(crate) set: Checked,
}

/// Keys whose values lie in their ranges.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ShapeKeys")]
pub(crate) struct Checked(pub(crate) ShapeKeys);

impl TryFrom<ShapeKeys> for Checked {
    type Error = String;

    fn try_from(keys: ShapeKeys) -> Result<Self, String> {
        keys.check_change().map_err(|error| error.to_string())?;
        Ok(Self(keys))
    }
}

/// An even change of the RTT.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ramp {
    /// Two clouds.
    pub(crate) between: [String; 2],
    /// First RTT, ms.
    pub(crate) from_rtt_ms: Rtt,
    /// Last RTT, ms.
    pub(crate) to_rtt_ms: Rtt,
    /// How long it takes.
    pub(crate) over_s: Seconds,
}

/// Cuts that come and go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flap {
    /// Two clouds or hosts.
    pub(crate) between: [String; 2],
    /// How long each cut lasts.
    pub(crate) down_s: Seconds,
    /// How long it is whole between two cuts.
    pub(crate) up_s: Seconds,
    /// How many cuts, 1 to 255.
    pub(crate) times: std::num::NonZeroU8,
}

/// From one cloud or host to another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{from: NAME, to: NAME}")]
pub(crate) struct Way {
    /// Who sends.
    pub(crate) from: String,
    /// Who receives.
    pub(crate) to: String,
}

/// Which cuts are undone.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "the name of a cloud or host, all, or {from: NAME, to: NAME}")]
pub(crate) enum Healed {
    /// Those of a cloud or host; `all`: every one.
    Name(String),
    /// This one.
    Way(Way),
}

/// What must hold.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expectation {
    /// A write is acknowledged within this time.
    WriteWithinS(Seconds),
    /// No write is acknowledged for this long.
    NoWriteForS(Seconds),
}

/// Seconds, 0 to 86,400.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Seconds(pub(crate) Duration);

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        let in_range = (0.0..=86_400.0).contains(&seconds);
        let duration = Duration::try_from_secs_f64(seconds).ok().filter(|_| in_range);
        duration.map(Self).ok_or_else(|| format!("{seconds}: must be a number of seconds from 0 to 86400"))
    }
}

/// A round trip, 0 to 120,000 ms.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Rtt(pub(crate) f64);

impl TryFrom<f64> for Rtt {
    type Error = String;

    fn try_from(rtt_ms: f64) -> Result<Self, String> {
        let allowed = (0.0..=120_000.0).contains(&rtt_ms);
        let message = || format!("{rtt_ms}: must be a number of milliseconds from 0 to 120000");
        allowed.then_some(Self(rtt_ms)).ok_or_else(message)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    at_s: Seconds,
    link: Option<Box<Change>>,
    ramp: Option<Ramp>,
    flap: Option<Flap>,
    cut: Option<Way>,
    isolate: Option<String>,
    heal: Option<Healed>,
    kill: Option<String>,
    pause: Option<String>,
    resume: Option<String>,
    restart: Option<String>,
    #[serde(default, with = "serde_yaml_ng::with::singleton_map")]
    expect: Option<Expectation>,
}

impl TryFrom<RawStep> for Step {
    type Error = String;

    fn try_from(raw: RawStep) -> Result<Self, String> {
        let actions = [
            raw.link.map(Action::Link),
            raw.ramp.map(Action::Ramp),
            raw.flap.map(Action::Flap),
            raw.cut.map(Action::Cut),
            raw.isolate.map(Action::Isolate),
            raw.heal.map(Action::Heal),
            raw.kill.map(Action::Kill),
            raw.pause.map(Action::Pause),
            raw.resume.map(Action::Resume),
            raw.restart.map(Action::Restart),
            raw.expect.map(Action::Expect),
        ];
        let mut actions = actions.into_iter().flatten();
        match (actions.next(), actions.next()) {
            (Some(action), None) => Ok(Self { at: raw.at_s.0, action }),
            _ => Err("a step has exactly one of link, ramp, flap, cut, isolate, heal, kill, pause, resume, restart, expect"
                .to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepVisitor)
    }
}

/// Judges a step while its table is read: the reader knows the line only until then.
struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a step: at_s and one action")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Step, A::Error> {
        let raw = RawStep::deserialize(MapAccessDeserializer::new(fields))?;
        Step::try_from(raw).map_err(A::Error::custom)
    }
}

fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Step>, D::Error> {
    let steps = Vec::deserialize(deserializer)?;
    if (1..=STEPS_MAX).contains(&steps.len()) {
        return Ok(steps);
    }
    Err(D::Error::custom(format!("{} steps; a scenario has 1 to {STEPS_MAX}", steps.len())))
}

/// Reads a scenario.
///
/// # Errors
/// What is wrong, with line and column.
pub(crate) fn parse(text: &str) -> Result<Script, String> {
    serde_yaml_ng::from_str(text).map_err(|error| error.to_string())
}
