import { CommentTag, Converter, ReflectionKind } from 'typedoc';

/*
 * Loaded by TypeDoc. Functions and classes have examples of their own, which are run; each type is told by
 * which of them it is shown: those that take or give it, or else that take or give what it is part of. One
 * that none leads to is warned of.
 */

/** @typedef {import('typedoc').DeclarationReflection} Symbol */

/** TypeDoc resolves links in comments at -300; what has more comes first. */
const afterLinks = -400;

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, tellWhoShows, afterLinks);

  /** @param {import('typedoc').Context} context */
  function tellWhoShows({ project }) {
    const symbols = (project.children ?? [])
      .flatMap(({ children = [] }) => children)
      .filter(({ kind }) => kind !== ReflectionKind.Reference);
    /** What each names in its fields, parameters, results and comments. */
    const named = new Map(symbols.map((symbol) => [symbol, namedBy(symbol)]));
    const shown = symbols.filter(hasExample);
    /** By symbol, how many steps lead to it from each that is shown. */
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
}

/** Of a field or a method, the symbol that it is of. @param {any} reflection @returns {Symbol | undefined} */
function topmost(reflection) {
  let at = reflection;
  while (at?.parent && at.parent.kind !== ReflectionKind.Module) at = at.parent;
  return at?.parent ? at : undefined;
}

/** @param {Symbol} symbol */
const hasExample = ({ comment, signatures = [] }) =>
  [comment, ...signatures.map((signature) => signature.comment)].some((one) =>
    one?.getTag('@example'),
  );

/** @param {Symbol[]} symbols */
const links = (symbols) =>
  symbols.flatMap((target, index) => [
    ...(index > 0 ? [text(', ')] : []),
    /** @type {const} */ ({ kind: 'inline-tag', tag: '@link', text: target.name, target }),
  ]);

/** @param {string} words */
const text = (words) => /** @type {const} */ ({ kind: 'text', text: words });
