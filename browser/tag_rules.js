/** The rules of tag schemes: which tags may stand where, and how they write a span. */

// Of each scheme: tags that are legal only right after a B or an I of their label; tags that such a one must follow; and
// its ways to write a span: the prefixes of its first, inner, last and only word, whether the word after it must not
// continue it, and whether its label must not stand right before it.
const GRAMMARS = {
  IOB1: { continuing: "B", unfinished: "", spellings: [["BIIB", true, false], ["IIII", true, true]] },
  IOB2: { continuing: "I", unfinished: "", spellings: [["BIIB", true, false]] },
  BIOES: { continuing: "IE", unfinished: "BI", spellings: [["BIES", false, false]] },
  BILOU: { continuing: "IL", unfinished: "BI", spellings: [["BILU", false, false]] },
  plain: { continuing: "", unfinished: "", spellings: [["", false, false]] },
};
export const SCHEMES = Object.keys(GRAMMARS);

/** @typedef {{prefix: string, label: string}} Tag of the scheme plain without a prefix */
const OUTSIDE = { prefix: "O", label: "" };

export class TagRules {
  /** @param {string[]} names of the tags, in the order of their ids @param {string} scheme */
  constructor(names, scheme) {
    this.grammar = GRAMMARS[scheme];
    const plain = scheme === "plain", prefixes = new Set(this.grammar.spellings.flatMap(([own]) => [...own]));
    /** @type {Tag[]} */
    this.tags = names.map((name) => {
      if (plain) return { prefix: "", label: name };
      const prefix = name.split("-", 1)[0], label = name.slice(prefix.length + 1);
      if (name !== "O" && !(prefixes.has(prefix) && label))
        throw new Error(`config.json: the tag ${name} does not belong to the scheme ${scheme}`);
      return { prefix, label };
    });
    this.legalStart = this.tags.map((tag) => this._follows(OUTSIDE, tag));
    /** By the tag before and the tag, one row after another. */
    this.legal = this.tags.flatMap((before) => this.tags.map((after) => this._follows(before, after)));
    this.legalEnd = this.tags.map((tag) => this._follows(tag, OUTSIDE));
    const ids = new Map(names.map((name, id) => [name, id])), id = (prefix, label) => ids.get(`${prefix}-${label}`) ?? -1;
    /** Ways to write a span of a label, by the ids of its tags: -1 where there is none. */
    this.spellings = this.grammar.spellings.map(([own, openEnd, openStart]) => ({
      openEnd, openStart,
      tags: (label) => (plain ? [-1, -1, -1, ids.get(label)] : Array.from(own, (prefix) => id(prefix, label))),
    }));
  }

  _follows(before, after) {
    const { continuing, unfinished } = this.grammar;
    if (after.prefix && continuing.includes(after.prefix))
      return (before.prefix === "B" || before.prefix === "I") && before.label === after.label;
    return !(before.prefix && unfinished.includes(before.prefix));
  }

  /**
   * The spans that tags write, legal or not, as the scorer of CoNLL reads them.
   * @param {ArrayLike<number>} path ids
   * @returns {{first: number, end: number, label: string}[]} `end` exclusive
   */
  read(path) {
    const spans = [];
    let before = OUTSIDE;
    for (let word = 0; word < path.length; word++) {
      const tag = this.tags[path[word]];
      const apart = before.label !== tag.label || "ESLU".includes(before.prefix) || "BSU".includes(tag.prefix);
      if (tag.prefix !== "O" && apart) spans.push({ first: word, end: word + 1, label: tag.label });
      else if (tag.prefix !== "O") spans[spans.length - 1].end = word + 1;
      before = tag;
    }
    return spans;
  }

  /** Whether a path of ids, one at least, begins, goes on and ends as it may. */
  isLegal(path) {
    const step = (tag, word) => word === 0 || this.legal[path[word - 1] * this.tags.length + tag];
    return this.legalStart[path[0]] && this.legalEnd[path[path.length - 1]] && path.every(step);
  }
}
