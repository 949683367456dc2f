import type { ReferenceObject, SchemaObject } from '@nestjs/swagger';

export type Schemas = Record<string, SchemaObject | ReferenceObject>;

/**
 * Composes an example of a schema's examples. Returns undefined if there are none, or if a required property
 * has none.
 */
export function composeExample(
  schema: SchemaObject | ReferenceObject | undefined,
  schemas: Schemas,
  parents: string[] = [],
): unknown {
  if (schema === undefined) return undefined;
  if ('$ref' in schema) {
    // The example of a recursive schema ends at the first repetition.
    if (parents.includes(schema.$ref)) return undefined;
    return composeExample(schemas[getSchemaName(schema)], schemas, [...parents, schema.$ref]);
  }
  const { enum: values, allOf, items, properties, required = [] } = schema;
  if (schema.example !== undefined) return schema.example;
  if (values) return values[0];
  if (allOf) return composeExample(allOf[0], schemas, parents);
  if (items) {
    const item = composeExample(items, schemas, parents);
    return item === undefined ? [] : [item];
  }
  if (properties === undefined) return undefined;
  const example: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const value = composeExample(property, schemas, parents);
    if (value !== undefined) example[name] = value;
    else if (required.includes(name)) return undefined;
  }
  return example;
}

/** Returns the schema that a reference, or the only part of an `allOf`, refers to. */
export function resolveSchema(
  schema: SchemaObject | ReferenceObject | undefined,
  schemas: Schemas,
): SchemaObject {
  if (schema === undefined) return {};
  if ('$ref' in schema) return resolveSchema(schemas[getSchemaName(schema)], schemas);
  const { allOf: [part, ...others] = [], ...rest } = schema;
  return part === undefined || others.length > 0
    ? schema
    : { ...resolveSchema(part, schemas), ...rest };
}

function getSchemaName({ $ref }: ReferenceObject): string {
  return $ref.replace('#/components/schemas/', '');
}
