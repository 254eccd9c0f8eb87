//! The kinds of broken files, each with the words that Asterisk has for it.

use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};

use At::{Behind, End, InPlaceOf};

/// What is wrong, in which file, what Asterisk says to it, and whether it takes something away that was to be served.
pub struct Broken {
    pub file: Artifact,
    pub what: &'static str,
    pub at: At,
    pub text: &'static str,
    pub says: &'static str,
    pub harms: bool,
}

pub enum At {
    /// Behind everything else.
    End,
    /// Behind the first occurrence of a text.
    Behind(&'static str),
    /// In place of its first occurrence.
    InPlaceOf(&'static str),
}

const fn broken(
    file: Artifact,
    what: &'static str,
    at: At,
    text: &'static str,
    says: &'static str,
    harms: bool,
) -> Broken {
    Broken {
        file,
        what,
        at,
        text,
        says,
        harms,
    }
}

/// The options of the second extension's endpoint begin there.
const BOB: At = Behind("[1002@acme.example.com]\ntype=endpoint\n");
const AOR: At = Behind("[1002@acme.example.com]\ntype=aor\n");
const DIALPLAN: At = Behind("[acme.example.com]\nexten => _XXXX,hint,PJSIP/${EXTEN}@acme.example.com\n");
const MAILBOXES: At = Behind("[acme.example.com]\n");

/// Where the second tenant begins; what stands before it is read before Asterisk comes to the error.
const GINA: At = InPlaceOf("[1001@globex.example.com]\n");
const GLOBEX: At = InPlaceOf("[globex.example.com]\n");

pub const PJSIP: [Broken; 13] = [
    broken(
        Pjsip,
        "unknown option",
        BOB,
        "frobnicate=yes\n",
        "named 'frobnicate'",
        true,
    ),
    broken(
        Pjsip,
        "bad number",
        BOB,
        "device_state_busy_at=abc\n",
        "Error parsing device_state_busy_at=abc",
        true,
    ),
    broken(
        Pjsip,
        "bad codec",
        BOB,
        "allow=nosuch\n",
        "Cannot allow unknown format 'nosuch'",
        true,
    ),
    broken(Pjsip, "bad address", AOR, "contact=no-uri\n", "contact", true),
    broken(
        Pjsip,
        "short digest",
        InPlaceOf("password_digest=MD5:"),
        "password_digest=MD5:0",
        "must be 32",
        true,
    ),
    broken(
        Pjsip,
        "line without =",
        BOB,
        "this is no option\n",
        "No '=' (equal sign)",
        false,
    ),
    broken(
        Pjsip,
        "duplicate object",
        End,
        "\n[1002@acme.example.com]\ntype=aor\n",
        "contains a duplicate object: '1002@acme.example.com'",
        true,
    ),
    broken(
        Pjsip,
        "unclosed section",
        GINA,
        "[1001@globex.example.com\n",
        "no closing ']'",
        true,
    ),
    broken(
        Pjsip,
        "missing include",
        GINA,
        "#include \"/nowhere/pjsip.conf\"\n[1001@globex.example.com]\n",
        "'/nowhere/pjsip.conf' was listed as a #include but it does not exist",
        true,
    ),
    broken(
        Pjsip,
        "undefined template",
        GINA,
        "[1001@globex.example.com](nosuch)\n",
        "category 'nosuch' does not exist",
        true,
    ),
    broken(
        Pjsip,
        "line too long",
        BOB,
        "message_context=LONG\n",
        "too long, skipping",
        false,
    ),
    broken(
        Pjsip,
        "comment too long",
        BOB,
        "; LONG\n",
        "too long, skipping",
        false,
    ),
    broken(
        Pjsip,
        "transport",
        End,
        "\n[smuggled]\ntype=transport\nprotocol=udp\nbind=300.1.2.3:99999\n",
        "Error parsing bind=300.1.2.3:99999",
        false,
    ),
];

pub const EXTENSIONS: [Broken; 11] = [
    broken(
        Extensions,
        "no priority",
        DIALPLAN,
        "exten => 1009\n",
        "Invalid priority/label ''",
        false,
    ),
    broken(
        Extensions,
        "bad priority",
        DIALPLAN,
        "exten => 1009,abc,NoOp(a)\n",
        "Invalid priority/label 'abc'",
        false,
    ),
    broken(
        Extensions,
        "no parenthesis",
        DIALPLAN,
        "exten => 1009,1,Dial(PJSIP/1009\n",
        "No closing parenthesis",
        false,
    ),
    broken(
        Extensions,
        "unknown context",
        DIALPLAN,
        "include => nowhere\n",
        "nonexistent context 'nowhere'",
        false,
    ),
    broken(
        Extensions,
        "duplicate extension",
        DIALPLAN,
        "exten => 1002,1,NoOp(first)\n",
        "Unable to register extension '1002' priority 1 in 'acme.example.com'",
        false,
    ),
    broken(
        Extensions,
        "duplicate label",
        DIALPLAN,
        "exten => 1009,1(a),NoOp()\n same => n(a),NoOp()\n",
        "label 'a' already in use",
        false,
    ),
    broken(
        Extensions,
        "same without a pattern",
        End,
        "\n[x.example.com]\n same => n,NoOp()\n",
        "No previous pattern",
        false,
    ),
    broken(
        Extensions,
        "unknown directive",
        DIALPLAN,
        "extern => 1009,1,NoOp()\n",
        "Unknown directive: extern",
        false,
    ),
    broken(
        Extensions,
        "unclosed section",
        GLOBEX,
        "[globex.example.com\n",
        "no closing ']'",
        true,
    ),
    broken(
        Extensions,
        "line without =",
        DIALPLAN,
        "this is no line\n",
        "No '=' (equal sign)",
        false,
    ),
    broken(
        Extensions,
        "line too long",
        DIALPLAN,
        "; LONG\n",
        "too long, skipping",
        false,
    ),
];

pub const VOICEMAIL: [Broken; 6] = [
    broken(
        Voicemail,
        "duplicate mailbox",
        MAILBOXES,
        "1001 => -9999,Dup\n",
        "Ignoring duplicated mailbox 1001",
        true,
    ),
    broken(
        Voicemail,
        "bad PIN",
        MAILBOXES,
        "1009 => *12,B\n",
        "Invalid password detected for mailbox 1009",
        false,
    ),
    broken(
        Voicemail,
        "line without =",
        MAILBOXES,
        "1009 -1,A\n",
        "No '=' (equal sign)",
        false,
    ),
    broken(
        Voicemail,
        "unclosed section",
        GLOBEX,
        "[globex.example.com\n",
        "no closing ']'",
        true,
    ),
    broken(
        Voicemail,
        "missing include",
        GLOBEX,
        "#include \"/nowhere/voicemail.conf\"\n[globex.example.com]\n",
        "was listed as a #include but it does not exist",
        true,
    ),
    broken(
        Voicemail,
        "line too long",
        MAILBOXES,
        "; LONG\n",
        "too long, skipping",
        false,
    ),
];
