import { z } from 'zod';

/** A JSON Schema whose root is an object, as MCP wants it. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly [keyword: string]: unknown;
}

/**
 * What may be sent (`input`) or what is answered (`output`), without references: hosts hand a schema to models whose own
 * formats know none.
 */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): ObjectSchema {
  const {
    $defs = {},
    $schema,
    ...root
  } = z.toJSONSchema(schema, { io, override: ({ jsonSchema }) => plain(jsonSchema, io) });
  const inlined = inline(root, $defs) as ObjectSchema;
  return { $schema, ...inlined };
}

function plain(schema: z.core.JSONSchema.BaseSchema, io: 'input' | 'output'): void {
  // A date's format says it in a word; its pattern takes a model three hundred characters to read.
  if (schema.format !== undefined) delete schema.pattern;
  // An answer may have more than this: a client that was told so long ago still reads it.
  if (io === 'output' && schema.additionalProperties === false) delete schema.additionalProperties;
}

function inline(node: unknown, definitions: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(node)) return node.map((item) => inline(item, definitions));
  if (typeof node !== 'object' || node === null) return node;
  const { $ref, ...rest } = node as { $ref?: string };
  const own = Object.entries(rest).map(([key, value]) => [key, inline(value, definitions)] as const);
  if ($ref === undefined) return Object.fromEntries(own);
  const found = inline(definitions[$ref.replace('#/$defs/', '')], definitions) as object;
  return { ...found, ...Object.fromEntries(own) };
}
