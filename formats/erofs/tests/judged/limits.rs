//! Errors for files that the format cannot hold: each has the path, the value and the limit.

use std::error::Error as _;

use image_tree::{Device, Inode, InodeId, Kind, Metadata, Name, Tree, XattrName};
use mkfs_erofs::{Error, Need, Options, plan, plan_sharing};
use uuid::Uuid;

use crate::pattern::Pattern;

fn options() -> Options {
    Options::new(Uuid::from_u128(1))
}

fn tree(kind: Kind<Pattern>, xattrs: &[(&str, usize)]) -> Tree<Pattern> {
    let mut tree = Tree::new(Metadata::new(0o755));
    let mut inode = Inode { metadata: Metadata::new(0o644), kind };
    for (name, len) in xattrs {
        inode.metadata.xattrs.insert(XattrName::new(name).expect("valid"), vec![b'v'; *len].into());
    }
    tree.insert(InodeId::ROOT, Name::new("f").expect("valid"), inode).expect("new");
    tree
}

fn refusal(tree: &Tree<Pattern>, options: &Options) -> String {
    let error = plan(tree, options).expect_err("it does not fit");
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let longest = Kind::Regular(Pattern::with_data(i64::MAX as u64, 0, Vec::new()));
    assert!(plan(&tree(longest, &[]), &options()).is_ok());
    let too_long = Kind::Regular(Pattern::with_data(1 << 63, 0, Vec::new()));
    let expected = "EROFS cannot represent /f: the file has 9223372036854775808 bytes, the limit of EROFS is \
                    9223372036854775807";
    assert_eq!(refusal(&tree(too_long, &[]), &options()), expected);
    let device = Kind::BlockDevice(Device { major: 4096, minor: 0 });
    assert!(
        refusal(&tree(device, &[]), &options())
            .ends_with("4096:0 does not fit: the limits are 4095 and 1048575")
    );
    let many = Kind::Regular(Pattern::new(1 << 61, 0));
    let expected = "the filesystem has 562949953421313 blocks, the limit is 281474976710655";
    assert_eq!(refusal(&tree(many, &[]), &options()), expected);
}

#[test]
fn xattrs_that_do_not_fit_are_named() {
    let refusal = |xattrs: &[(&str, usize)]| refusal(&tree(Kind::Fifo, xattrs), &options());
    assert!(
        refusal(&[("system.nfs4_acl", 1)]).contains("xattr \"system.nfs4_acl\" has no namespace EROFS knows")
    );
    assert!(refusal(&[("system.posix_acl_access", 3)]).contains("is not a POSIX ACL"));
    assert!(
        refusal(&[("trusted.a", 65_536)]).contains("a value of 65536 bytes, the limit of EROFS is 65535")
    );
    // 12 bytes of header, and with 5 bytes more each three of 65,536 bytes and one of 65,528.
    let full = [("trusted.a", 65_531), ("trusted.b", 65_531), ("trusted.c", 65_531), ("trusted.d", 65_523)];
    let mut long = full;
    assert!(plan(&tree(Kind::Fifo, &full), &options()).is_ok());
    long[3].1 += 1;
    let expected = "its 4 xattrs take 262152 bytes, the limit of EROFS is 262148; drop or shorten xattrs, the longest is \
                    \"trusted.c\"";
    assert!(refusal(&long).ends_with(expected), "{}", refusal(&long));
}

#[test]
fn prefixes_have_a_namespace_and_more() {
    for prefix in ["user.", "overlay.", "system.x", ""] {
        let options = with!(options(), xattr_prefixes: vec![prefix.as_bytes().to_vec()]);
        assert!(matches!(plan(&tree(Kind::Fifo, &[]), &options), Err(Error::XattrPrefix(_))), "{prefix}");
    }
    // One that no name begins with is not stored.
    let options = with!(options(), xattr_prefixes: vec![b"trusted.overlay.".to_vec()]);
    let needs =
        |name: &str| plan(&tree(Kind::Fifo, &[(name, 1)]), &options).expect("it fits").summary().needs;
    assert!(!needs("trusted.overlay.").contains(&Need::XattrPrefixes));
    assert!(needs("trusted.overlay.x").contains(&Need::XattrPrefixes));
}

#[test]
fn only_equal_regular_files_share_blocks() {
    let mut tree = tree(Kind::Regular(Pattern::new(10, 1)), &[]);
    let first = tree.resolve_no_symlinks(b"/f").expect("it is there");
    let mut add = |name: &str, kind| {
        let inode = Inode { metadata: Metadata::new(0o644), kind };
        tree.insert(InodeId::ROOT, Name::new(name).expect("valid"), inode).expect("new")
    };
    let fifo = add("g", Kind::Fifo);
    let longer = add("h", Kind::Regular(Pattern::new(11, 1)));
    let equal = add("i", Kind::Regular(Pattern::new(10, 1)));
    let before = add("e", Kind::Regular(Pattern::new(10, 1)));
    let share = |later, first| plan_sharing(&tree, &options(), &[(later, first)].into());
    assert!(share(equal, first).is_ok());
    for (later, first) in [(fifo, first), (longer, first), (before, first), (first, first)] {
        assert!(matches!(share(later, first), Err(Error::Unshareable { .. })));
    }
}
