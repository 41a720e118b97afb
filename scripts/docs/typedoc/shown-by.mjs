/*
 * Loaded by TypeDoc. Functions and classes have examples of their own, which are run; each type is told by
 * which of them it is shown: those that take or give it, or else that take or give what it is part of. One
 * that none leads to is warned of.
 */

/**
 * What is used here of a symbol as TypeDoc has it; TypeDoc is installed apart, and its types are not there.
 * @typedef {object} Symbol
 * @property {string} name
 * @property {number} kind
 * @property {Symbol} [parent]
 * @property {Symbol[]} [children]
 * @property {Symbol[]} [signatures]
 * @property {{ blockTags: { tag: string }[] }} [comment]
 */

/** TypeDoc resolves links in comments at -300; what has more comes first. */
const afterLinks = -400;

/** @param {any} app TypeDoc's application */
export async function load(app) {
  // By a variable, for the compiler would look for it.
  const typedoc = 'typedoc';
  const { CommentTag, Converter, ReflectionKind } = await import(typedoc);
  app.converter.on(Converter.EVENT_RESOLVE_END, tellWhoShows, afterLinks);

  /** @param {{ project: any }} context */
  function tellWhoShows({ project }) {
    /** @type {Symbol[]} */
    const symbols = project.children
      .flatMap((/** @type {Symbol} */ { children = [] }) => children)
      .filter((/** @type {Symbol} */ { kind }) => kind !== ReflectionKind.Reference);
    /** What each names in its fields, parameters, results and comments. */
    const named = new Map(symbols.map((symbol) => [symbol, namedBy(symbol)]));
    const shown = symbols.filter(hasExample);
    /** By symbol that is shown, how many steps lead from it to each other. */
    const steps = new Map(shown.map((symbol) => [symbol, stepsFrom(symbol)]));
    for (const symbol of symbols) {
      if (hasExample(symbol)) continue;
      const least = Math.min(...shown.map((from) => steps.get(from)?.get(symbol) ?? Infinity));
      if (least === Infinity) {
        app.logger.warn(`${symbol.name} has no @example, and no function that has one leads to it`);
        continue;
      }
      const nearest = shown.filter((from) => steps.get(from)?.get(symbol) === least);
      symbol.comment?.blockTags.push(new CommentTag('@shownBy', links(nearest)));
    }

    /** @param {Symbol} start @returns {Map<Symbol, number>} */
    function stepsFrom(start) {
      const found = new Map([[start, 0]]);
      for (const [symbol, distance] of found) {
        for (const next of named.get(symbol) ?? []) {
          if (!found.has(next)) found.set(next, distance + 1);
        }
      }
      return found;
    }

    /** @param {Symbol} symbol @returns {Set<Symbol>} */
    function namedBy(symbol) {
      /** @type {Set<Symbol>} */
      const found = new Set();
      JSON.stringify(app.serializer.toObject(symbol), (_, value) => {
        const leads = value?.type === 'reference' || value?.kind === 'inline-tag';
        if (leads && typeof value.target === 'number') {
          const target = topmost(project.getReflectionById(value.target));
          if (target) found.add(target);
        }
        return value;
      });
      return found;
    }
  }

  /** Of a field or a method, the symbol that it is of. @param {Symbol | undefined} at */
  function topmost(at) {
    let symbol = at;
    while (symbol?.parent && symbol.parent.kind !== ReflectionKind.Module) symbol = symbol.parent;
    return symbol?.parent ? symbol : undefined;
  }
}

/** @param {Symbol} symbol @returns {boolean} */
const hasExample = ({ comment, signatures = [] }) =>
  comment?.blockTags.some(({ tag }) => tag === '@example') || signatures.some(hasExample);

/** @param {Symbol[]} symbols */
const links = (symbols) =>
  symbols.flatMap((target, index) => [
    ...(index > 0 ? [{ kind: 'text', text: ', ' }] : []),
    { kind: 'inline-tag', tag: '@link', text: target.name, target },
  ]);
