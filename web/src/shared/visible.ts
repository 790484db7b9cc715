/** Names as the page shows them: whatever they hold, the reader sees all of it, and it changes no other text. */

/**
 * Controls, halves of characters, ends of lines, and marks that show nothing or turn the text after them around.
 *
 * Joiners are none of them: letters of several scripts and many emoji are made with these.
 */
const HIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const escape = (hidden: string): string => {
  const code = hidden.codePointAt(0)!.toString(16);
  return SHORT[hidden] ?? (code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`);
};

/** Text in which every character can be seen: those that cannot are written as Python writes them, "\u202e". */
export const visible = (text: string): string => text.replace(HIDDEN, escape);

/** What a module is called where its name stands alone: a name of blanks can be seen too. */
export const nameOf = (label: string): string => (label.trim() ? label : "␣".repeat(label.length) || "(root)");
