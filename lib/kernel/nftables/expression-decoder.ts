import type { NftExpression } from '../../model/ruleset.js';
import type { Bytes } from '../netlink-message.js';
import { Attributes, type AttributeTable, NotUnderstood } from './attributes.js';

/** Reads a nest of expressions inside of an expression. */
export type DecodeNested = (bytes: Bytes) => NftExpression;

/**
 * Reads what one expression's dump function writes into NFTA_EXPR_DATA. Throws `NotUnderstood` for
 * what only another kernel than those known can have written.
 */
export type ExpressionDecoder = (data: Bytes, nested: DecodeNested) => NftExpression;

/** A decoder from the expression's attribute table; an attribute beyond it is not understood. */
export function expression<Name extends string>(
  names: AttributeTable<Name>,
  decode: (attributes: Attributes<Name>, nested: DecodeNested) => NftExpression,
): ExpressionDecoder {
  return (data, nested) => {
    const attributes = new Attributes(data, names);
    if (attributes.strange) throw new NotUnderstood(`more attributes than ${names.prefix}_* has`);
    return decode(attributes, nested);
  };
}
