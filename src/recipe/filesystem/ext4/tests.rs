//! Tests of the options of ext4.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;
use crate::recipe::filesystem::CommonOptions;

fn options(words: &[&str]) -> Options {
    with_features(words).options()
}

#[test]
fn each_feature_is_set_and_cleared() {
    assert_eq!(options(&[]), Options::new(Uuid::nil(), Uuid::nil()));
    assert_eq!(options(&["extent", "^bigalloc", "sparse_super"]), Options::new(Uuid::nil(), Uuid::nil()));
    assert_eq!(options(&["^has_journal"]).journal, Journal::None);
    assert_eq!(options(&["^has_journal", "has_journal"]).journal, Journal::Auto);
    let all =
        options(&["^resize_inode", "sparse_super2", "orphan_file", "inline_data", "ea_inode", "read-only"])
            .features;
    assert!(
        !all.resize_inode
            && all.sparse_super2
            && all.orphan_file
            && all.inline_data
            && all.ea_inode
            && all.read_only
    );
    assert!(!options(&["^metadata_csum_seed"]).features.metadata_csum_seed);
    let old = options(&["^64bit", "^metadata_csum", "^dir_index"]).features;
    assert!(!old.bit_64 && !old.metadata_csum && !old.metadata_csum_seed && !old.dir_index);
    assert_eq!(options(&["^metadata_csum", "metadata_csum"]), options(&[]));
    let seed = options(&["metadata_csum_seed", "^metadata_csum"]).features;
    assert!(seed.metadata_csum_seed && !seed.metadata_csum, "what contradicts itself is refused later");
    assert!(options(&["^orphan_file", "orphan_file"]).features.orphan_file, "the last one counts");
}

#[test]
fn features_that_cannot_be_chosen_are_refused_with_the_reason() {
    for (word, why) in [
        ("casefold", "not made here"),
        ("encrypt", "keys are the guest's"),
        ("quota", "not made here"),
        ("project", "tune2fs -O project"),
        ("bigalloc", "waste space"),
        ("^extent", "every filesystem here has extent"),
        ("^sparse_super", "sparse_super2 takes its place"),
        ("", "features to enable or disable: has_journal"),
        ("no_such", "\"no_such\" is not a feature"),
    ] {
        let error = word.parse::<FeatureChange>().expect_err(word).to_string();
        assert!(error.contains(why), "{word}: {error}");
    }
}

#[test]
fn options_override_the_profile() {
    let recipe = Ext4Recipe {
        profile: Profile::Rw,
        block_size: Some(BlockSize::B1024),
        journal: Some(JournalLength::Bytes(2 << 20)),
        reserved_percent: Some(1),
        data_alignment: Some(2 << 20),
        ..Ext4Recipe::default()
    };
    let options = recipe.options();
    assert!(options.features.orphan_file);
    assert_eq!((options.journal, options.reserved_percent), (Journal::Blocks(2048), 1));
    let aligned = DataAlignment { bytes: 2 << 20, filesystem_offset: 0 };
    assert_eq!(options.data_alignment, Some(aligned));
}

/// Returns the lines after those that every text has.
fn further(recipe: &Ext4Recipe, common: &CommonOptions) -> String {
    let mut text = Vec::new();
    recipe.write(common, &mut text).expect("memory");
    let text = String::from_utf8(text).expect("ASCII");
    let mut lines = text.lines();
    for name in ["inodes", "reserved", "label", "uuid", "journal"] {
        let line = lines.next().expect(name);
        assert!(line.starts_with(&format!("{name} ")), "{text}");
    }
    lines.map(|line| line.to_owned() + "\n").collect()
}

fn text(recipe: &Ext4Recipe) -> String {
    further(recipe, &CommonOptions::default())
}

fn with_features(words: &[&str]) -> Ext4Recipe {
    let features = words.iter().map(|word| word.parse().expect("a feature")).collect();
    Ext4Recipe { features, ..Ext4Recipe::default() }
}

#[test]
fn the_defaults_add_no_line_to_the_seed_text() {
    let default = Ext4Recipe::default;
    for recipe in [
        default(),
        Ext4Recipe { reserved_percent: Some(3), ..default() },
        Ext4Recipe { journal: Some(JournalLength::Bytes(4 << 20)), ..default() },
        Ext4Recipe { block_size: Some(BlockSize::B4096), ..default() },
        Ext4Recipe { directory_slack_percent: Some(0), ..default() },
        with_features(&["extent", "^orphan_file", "resize_inode"]),
    ] {
        assert_eq!(text(&recipe), "", "{recipe:?}");
    }
    let kata = Ext4Recipe { profile: Profile::Kata, ..default() };
    assert_eq!(text(&kata), text(&with_features(&["^resize_inode"])));
}

#[test]
fn each_option_changes_the_seed_text() {
    let default = Ext4Recipe::default;
    let profiles = Profile::ALL.iter().map(|profile| Ext4Recipe { profile: *profile, ..default() });
    let features = [
        "sparse_super2",
        "orphan_file",
        "inline_data",
        "ea_inode",
        "^dir_index",
        "^64bit",
        "^metadata_csum",
        "^metadata_csum_seed",
        "read-only",
    ];
    let single = [
        Ext4Recipe { block_size: Some(BlockSize::B1024), ..default() },
        Ext4Recipe { block_size: Some(BlockSize::B2048), ..default() },
        Ext4Recipe { resize_limit: Some(1 << 30), ..default() },
        Ext4Recipe { resize_limit: Some(1 << 31), ..default() },
        Ext4Recipe { directory_slack_percent: Some(20), ..default() },
        Ext4Recipe { data_alignment: Some(2 << 20), ..default() },
        Ext4Recipe { data_alignment: Some(1 << 30), ..default() },
        // The same as ro-min, except for the number of superblock backups.
        with_features(&["^resize_inode", "sparse_super2", "read-only"]),
        // The same as rw, except for the order of names.
        Ext4Recipe { directory_slack_percent: Some(20), ..with_features(&["orphan_file"]) },
    ];
    let recipes: Vec<_> = profiles.chain(features.map(|word| with_features(&[word]))).chain(single).collect();
    let common = [
        CommonOptions { dedupe: true, ..CommonOptions::default() },
        CommonOptions { sparse: sparse::Policy::Always, ..CommonOptions::default() },
        CommonOptions { sparse: sparse::Policy::Never, ..CommonOptions::default() },
    ];
    let of_common = common.iter().map(|common| further(&default(), common));
    let texts: BTreeSet<String> = recipes.iter().map(text).chain(of_common).collect();
    assert_eq!(texts.len(), recipes.len() + common.len(), "{texts:#?}");
}

/// The text is hashed into the identifiers of images, so its words are part of the byte layout.
#[test]
fn the_seed_text_is_that_of_the_byte_layout() {
    let recipe = Ext4Recipe { profile: Profile::Rw, inodes: Some(99), ..Ext4Recipe::default() };
    let common = CommonOptions { label: "root".parse().expect("short"), ..CommonOptions::default() };
    let mut text = Vec::new();
    recipe.write(&common, &mut text).expect("memory");
    let expected = r"inodes Some(99)
reserved 5
label root\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
uuid None
journal BySize
block-size 4096
features Features { dir_index: true, resize_inode: true, sparse_super2: false, orphan_file: true, inline_data: false, ea_inode: false, bit_64: true, metadata_csum: true, metadata_csum_seed: true, read_only: false } 2
resize-limit None
directories 20 ByInode
data-alignment None
dedupe false
";
    assert_eq!(String::from_utf8(text).expect("ASCII"), expected);
    assert_eq!(journal_text(Journal::None), "None");
    assert_eq!(journal_text(Journal::Blocks(1024)), "Blocks(1024)");
}

#[test]
fn conflicting_options_name_the_flags_that_help() {
    let default = Ext4Recipe::default;
    let rw = Ext4Recipe { profile: Profile::Rw, journal: Some(JournalLength::None), ..default() };
    let dedupe = CommonOptions { dedupe: true, ..CommonOptions::default() };
    for (recipe, common, message, help) in [
        (rw.clone(), CommonOptions::default(), "orphan_file needs a journal", "^orphan_file"),
        (
            with_features(&["orphan_file", "^has_journal"]),
            CommonOptions::default(),
            "needs a journal",
            "^orphan_file",
        ),
        (
            with_features(&["sparse_super2"]),
            CommonOptions::default(),
            "sparse_super2 cannot be combined",
            "^resize_inode",
        ),
        (
            with_features(&["^metadata_csum", "metadata_csum_seed"]),
            CommonOptions::default(),
            "metadata_csum_seed needs metadata_csum",
            "metadata_csum",
        ),
        (
            Ext4Recipe { resize_limit: Some(1 << 40), ..with_features(&["^resize_inode"]) },
            CommonOptions::default(),
            "--resize-limit needs resize_inode",
            "resize_inode",
        ),
        (default(), dedupe, "--dedupe makes a filesystem for reading only", "^resize_inode"),
    ] {
        let error = recipe.check(&common).expect_err(message);
        assert!(error.contains(message) && error.contains(&format!("-O {help}")), "{error}");
        // The advice is right.
        let mut helped = recipe.clone();
        let help = ["^resize_inode", "^orphan_file"].into_iter().filter(|_| common.dedupe).chain([help]);
        helped.features.extend(help.map(|word| word.parse::<FeatureChange>().expect("a feature")));
        assert_eq!(helped.check(&common), Ok(()), "{error}");
    }
}

#[test]
fn lengths_of_journals_and_blocks_are_parsed() {
    for (text, length) in
        [("none", JournalLength::None), ("auto", JournalLength::Auto), ("4M", JournalLength::Bytes(4 << 20))]
    {
        assert_eq!(text.parse(), Ok(length));
    }
    let error = "None".parse::<JournalLength>().expect_err("words are exact");
    assert!(error.contains("is not a number of bytes"), "{error}");
    assert_eq!(Ext4Recipe::block_size_of(1024), Ok(BlockSize::B1024));
    assert_eq!(Ext4Recipe::block_size_of(4096), Ok(BlockSize::B4096));
    let error = Ext4Recipe::block_size_of(8192).expect_err("no block has 8 KiB");
    assert_eq!(error, "a block of ext4 has 1024, 2048 or 4096 bytes, not 8192");
}
