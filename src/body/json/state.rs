//! The states of the scanner and its actions, as the entries of the table have them.
//!
//! They are consecutive numbers, because the table is indexed by them, and their order matters:
//! inside a string, inside a name, elsewhere, with a report to the watch, and last the actions. One
//! comparison tells whether a byte needs more than the step to the next state.

/// A state, or from [`ACTION`] on, an action.
pub(super) type State = u8;

/// Numbers states consecutively, the first one as given.
macro_rules! states {
    ($first:expr;) => {};
    ($first:expr; $(#[$doc:meta])* $name:ident $($rest:tt)*) => {
        $(#[$doc])*
        pub(super) const $name: State = $first;
        states! { $name + 1; $($rest)* }
    };
}

// Inside a string (RFC 8259 §7).
states! { 0;
    /// Between two characters.
    STRING
    /// After a backslash.
    ESCAPE
    /// Before each digit of `\uXXXX`.
    HEX_1 HEX_2 HEX_3 HEX_4
    /// Before the second digit, after a `d`: the digit decides whether it is a surrogate.
    HEX_2_AFTER_D
    /// Before the last two digits of a high surrogate.
    HIGH_3 HIGH_4
    /// After a high surrogate: before the backslash, the `u` and two digits of the low one.
    LOW_BACKSLASH LOW_U LOW_1 LOW_2
    /// Before the digits of a surrogate without its partner; it is refused at the last digit.
    LONE_2 LONE_3 LONE_4
    /// Before the last byte, the last two and the last three bytes of a character in UTF-8.
    TAIL_1 TAIL_2 TAIL_3
    /// After a first byte that allows only some second bytes (RFC 3629 §4: no overlong forms, no
    /// surrogates, nothing above U+10FFFF).
    AFTER_E0 AFTER_ED AFTER_F0 AFTER_F4
    /// Added to a state inside a string, this is the same state inside a member name.
    IN_NAME
}

/// Between two characters of a member name.
pub(super) const NAME: State = IN_NAME + STRING;

// Outside of strings.
states! { IN_NAME + IN_NAME;
    /// Before a value.
    VALUE
    /// Before a value or the end of the array that has just begun.
    FIRST_ELEMENT
    /// Before a member name.
    MEMBER
    /// Before a member name or the end of the object that has just begun.
    FIRST_MEMBER
    /// Before the colon after a name.
    COLON
    /// After a value.
    AFTER_VALUE

    /// In a number (RFC 8259 §6): the part that was read last.
    MINUS ZERO INTEGER POINT FRACTION EXPONENT_MARK EXPONENT_SIGN EXPONENT

    /// In `true`, `false` or `null`: the rest of it.
    REST_RUE REST_UE REST_E REST_ALSE REST_LSE REST_SE REST_ULL REST_LL REST_L

    /// After a comma of an array. In the document itself, a comma is wrong.
    ELEMENT
    /// After a member name.
    NAME_ENDED
    /// After the first byte of a number.
    MINUS_BEGUN ZERO_BEGUN INTEGER_BEGUN
    /// After the first byte of another value that is no array or object.
    STRING_BEGUN RUE_BEGUN ALSE_BEGUN NULL_BEGUN
    /// After the quotation mark that begins a member name.
    NAME_BEGUN

    /// The actions: open or close a container, or refuse the byte.
    OPEN_ARRAY OPEN_OBJECT CLOSE WRONG
}

/// The first of the states that report a value which is no array or object.
pub(super) const VALUE_BEGUN: State = MINUS_BEGUN;
/// The first action.
pub(super) const ACTION: State = OPEN_ARRAY;
