//! The whole schema as lines of text: one for each field, enum value and method.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use farquorum_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

fn files() -> Vec<FileDescriptorProto> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
    files.into_iter().filter(|file| file.package() == "farquorum.v1").collect()
}

/// Names of the messages that the methods of these services take and give.
pub(crate) fn messages_of(services: &[&str]) -> BTreeSet<String> {
    let files = files();
    let methods = files.iter().flat_map(|file| &file.service);
    let methods = methods.filter(|service| services.contains(&service.name())).flat_map(|it| &it.method);
    let names = methods.flat_map(|method| [method.input_type(), method.output_type()]);
    names.map(|name| name.trim_start_matches(".farquorum.v1.").to_owned()).collect()
}

/// Today's.
pub(crate) fn lines() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in files() {
        file.message_type.iter().for_each(|message| add_message(message, message.name(), &mut lines));
        file.enum_type.iter().for_each(|it| add_enum(it, it.name(), &mut lines));
        for service in &file.service {
            lines.extend(service.method.iter().map(|method| {
                let stream = |yes| if yes { "stream " } else { "" };
                format!(
                    "rpc {}.{}({}{}) returns ({}{})",
                    service.name(),
                    method.name(),
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type(),
                )
            }));
        }
    }
    assert!(lines.len() > 200, "the descriptors are not where this test looks");
    lines
}

fn add_message(message: &DescriptorProto, path: &str, lines: &mut BTreeSet<String>) {
    for field in &message.field {
        let kind = match field.type_name() {
            "" => field.r#type().as_str_name(),
            name => name,
        };
        let oneof = field.oneof_index.map(|at| message.oneof_decl[usize::try_from(at).unwrap()].name());
        let oneof = oneof.map(|name| format!(" in {name}")).unwrap_or_default();
        let (label, number, name) = (field.label().as_str_name(), field.number(), field.name());
        lines.insert(format!("{path} {number} {name}: {label} {kind}{oneof}"));
    }
    message.nested_type.iter().for_each(|it| add_message(it, &format!("{path}.{}", it.name()), lines));
    message.enum_type.iter().for_each(|it| add_enum(it, &format!("{path}.{}", it.name()), lines));
}

fn add_enum(it: &EnumDescriptorProto, path: &str, lines: &mut BTreeSet<String>) {
    lines.extend(it.value.iter().map(|value| format!("enum {path} {} {}", value.number(), value.name())));
}

/// Those of every version.
pub(crate) fn recorded(folder: &Path) -> BTreeSet<String> {
    let versions = fs::read_dir(folder.join("schema")).into_iter().flatten();
    let texts = versions.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Adds the lines that are not recorded yet to this version's; none is taken away.
pub(crate) fn record(folder: &Path) {
    let version = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR")].join(".");
    let path = folder.join(format!("schema/v{version}.txt"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    lines().difference(&recorded(folder)).for_each(|line| text += &format!("{line}\n"));
    fs::write(path, text).unwrap();
}
