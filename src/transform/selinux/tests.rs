use image_tree::dump::{self, Body};

use super::specs::Specs;
use super::*;
use crate::error::ErrorKind;

type Bytes = Tree<Vec<u8>>;

fn apply_contexts(tree: &mut Bytes, contexts: &FileContexts) -> Result<Report> {
    apply(tree, &Options { contexts, interrupt: &Interrupt::never() })
}

fn tree(text: &str) -> Bytes {
    dump::parse(text.as_bytes(), |file| match file.body {
        Body::Inline(bytes) => Ok::<_, std::io::Error>(bytes.into_owned()),
        _ => Ok(Vec::new()),
    })
    .expect("a dump")
}

/// Formats the labels of a tree, one line for each name.
fn labels(tree: &Bytes) -> Vec<String> {
    let mut lines = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let label = tree.get(step.id).metadata.xattrs.get(SELINUX.as_bytes());
        let label = label.map_or("-".to_owned(), |label| label.escape_ascii().to_string());
        lines.push(format!("{} {label}", path.escape_ascii()));
    }
    lines
}

/// The policy, its configuration and related files, within the tree it is for.
const WITH_POLICY: &str = r"/ 0 40755 3 0 0 0 0.0 - - -
/etc 0 40755 3 0 0 0 0.0 - - -
/etc/selinux 0 40755 3 0 0 0 0.0 - - -
/etc/selinux/config 48 100644 1 0 0 0 0.0 - SELINUX=enforcing\n#SELINUXTYPE=no\nSELINUXTYPE=mini\x20\n -
/etc/selinux/mini 0 40755 3 0 0 0 0.0 - - -
/etc/selinux/mini/contexts 0 40755 3 0 0 0 0.0 - - -
/etc/selinux/mini/contexts/files 0 40755 2 0 0 0 0.0 - - -
/etc/selinux/mini/contexts/files/file_contexts 84 100644 1 0 0 0 0.0 - /.*\x20u:r:any\n/tmp/.*\x20<<none>>\n/usr/bin/.*\x20--\x20u:r:bin\n/usr/bin/exact\x20u:r:exact\n/dev/null\x20-c\x20u:r:null\n -
/etc/selinux/mini/contexts/files/file_contexts.local 15 100644 1 0 0 0 0.0 - /etc/.*\x20u:r:etc -
/etc/selinux/mini/contexts/files/file_contexts.subs_dist 14 100644 1 0 0 0 0.0 - /bin\x20/usr/bin\n -
/etc/selinux/mini/contexts/files/file_contexts.subs 12 100644 1 0 0 0 0.0 - /xbin\x20/bin\n -
";

const FILES: &str = r"/bin 0 40755 2 0 0 0 0.0 - - -
/bin/exact 0 100755 1 0 0 0 0.0 - - -
/bin/link 1 120777 1 0 0 0 0.0 x - -
/dev 0 40755 2 0 0 0 0.0 - - -
/dev/null 0 20666 1 0 0 259 0.0 - - -
/tmp 0 41777 2 0 0 0 0.0 - - -
/tmp/kept 0 100644 1 0 0 0 0.0 - - - security.selinux=was
/xbin 0 40755 2 0 0 0 0.0 - - -
/xbin/a 0 100755 1 0 0 0 0.0 - - - security.selinux=was
";

#[test]
fn auto_uses_the_policy_of_the_tree() {
    let text = format!("{WITH_POLICY}{FILES}");
    let mut tree = parse_inline(&text);
    let report = apply_contexts(&mut tree, &FileContexts::Auto).expect("a policy");
    let found = labels(&tree);
    let mut expected = vec!["/ u:r:any\\x00"];
    expected.extend([
        "/bin u:r:any\\x00",
        "/bin/exact u:r:exact\\x00",
        "/bin/link u:r:any\\x00",
        "/dev u:r:any\\x00",
        "/dev/null u:r:null\\x00",
        "/etc u:r:any\\x00",
        "/etc/selinux u:r:etc\\x00",
        "/etc/selinux/config u:r:etc\\x00",
    ]);
    assert_eq!(found[..expected.len()], expected);
    let end = ["/tmp u:r:any\\x00", "/tmp/kept was", "/xbin u:r:any\\x00", "/xbin/a u:r:bin\\x00"];
    assert_eq!(found[found.len() - 4..], end);
    assert_eq!((report.labelled, report.unchanged), (found.len() as u64 - 1, 1));
    assert_eq!(report.warnings(), Vec::<String>::new());
}

fn parse_inline(text: &str) -> Bytes {
    // Sizes are computed here, so that the constants above stay readable.
    let lines = text.lines().map(|line| {
        let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if fields[9] != "-" {
            let escaped = fields[9].matches("\\x20").count() * 3 + fields[9].matches("\\n").count();
            fields[1] = (fields[9].len() - escaped).to_string();
        }
        fields.join(" ")
    });
    tree(&(lines.collect::<Vec<_>>().join("\n") + "\n"))
}

#[test]
fn hard_links_share_one_label() {
    let dump = "/ 0 40755 2 0 0 0 0.0 - - -\n\
                /a 0 100644 3 0 0 0 0.0 - - -\n\
                /b 0 @100644 3 0 0 0 0.0 /a - -\n\
                /c 0 @100644 3 0 0 0 0.0 /a - -\n\
                /d 0 100644 1 0 0 0 0.0 - - -\n";
    let mut tree = tree(dump);
    let mut specs = Specs::default();
    specs.add("fc".as_ref(), b"/a <<none>>\n/b u:r:b\n/c u:r:c\n/ u:r:root\n").expect("specifications");
    let report = label(&mut tree, &Labels { specs, ..Labels::default() }, &Interrupt::never())
        .expect("small patterns");
    let expected = ["/ u:r:root\\x00", "/a u:r:b\\x00", "/b u:r:b\\x00", "/c u:r:b\\x00", "/d -"];
    assert_eq!(labels(&tree), expected);
    assert_eq!(
        report.warnings(),
        [
            "/b and /c are one file with two SELinux labels; u:r:b is used, not u:r:c",
            "file_contexts do not cover 1 file, which has no label: /d",
        ]
    );
}

#[test]
fn missing_policies_are_errors() {
    let mut plain = tree("/ 0 40755 2 0 0 0 0.0 - - -\n");
    let error = apply_contexts(&mut plain, &FileContexts::Auto).expect_err("no configuration");
    assert_eq!(error.kind(), ErrorKind::BadInput);
    assert!(error.to_string().starts_with("/etc/selinux/config in the tree: does not exist"), "{error}");
    let error = apply_contexts(&mut plain, &FileContexts::File("/no/such/file".into())).expect_err("no file");
    assert_eq!(error.to_string(), "/no/such/file: does not exist; --file-contexts reads it");

    let mut odd = parse_inline(&WITH_POLICY.replace("TYPE=mini", "TYPE=../mini"));
    let error = apply_contexts(&mut odd, &FileContexts::Auto).expect_err("a path");
    assert!(error.to_string().contains("line 3: SELINUXTYPE=../mini names no policy"), "{error}");
    let mut other = parse_inline(&WITH_POLICY.replace("TYPE=mini", "TYPE=maxi"));
    let error = apply_contexts(&mut other, &FileContexts::Auto).expect_err("another policy");
    assert!(
        error.to_string().contains("/etc/selinux/maxi/contexts/files/file_contexts in the tree"),
        "{error}"
    );
}
