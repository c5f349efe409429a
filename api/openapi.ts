import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';
import { actions, type Action, type ActionName } from '../domain/action.ts';
import { problemKinds, problemSchema, type ProblemKind } from '../domain/problem.ts';
import { operations, type Operation } from './operations.ts';

/** The OpenAPI 3.1 document, made of the same table and schemas that the routes use. */
export function createOpenApi(version: string) {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const [name, action] of Object.entries(actions) as [ActionName, Action][]) {
    const path = (paths[action.path] ??= {});
    path[action.method] = operation(name, action, operations[name]);
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description:
        'Durable operations around a self-hosted AI context engine. /health and /metrics are also under /v1.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', description: '`hf_<id>_<secret>`' } } },
  });
}

function operation(name: ActionName, action: Action, about: Operation): ZodOpenApiOperationObject {
  return {
    operationId: name,
    summary: about.summary,
    ...(action.role === null ? {} : { description: `Needs the role ${action.role}.` }),
    tags: [name.replace(/_[a-z]+$/, '')],
    security: action.role === null ? [] : [{ token: [] }],
    requestParams: {
      ...(about.params === undefined ? {} : { path: about.params }),
      ...(about.query === undefined ? {} : { query: about.query }),
      ...(action.method === 'post' && about.bytes !== true ? { header: idempotencyHeader } : {}),
    },
    ...(about.body === undefined ? {} : { requestBody: { required: true, content: json(about.body) } }),
    ...(about.bytes === true ? { requestBody: { required: true, content: { 'application/octet-stream': {} } } } : {}),
    responses: { ...answers(about), ...problems(action, about) },
  };
}

const idempotencyHeader = z.object({
  'Idempotency-Key': z.string().min(1).max(255).optional().meta({
    description: 'The same key gives the same answer for ever, without a second effect.',
  }),
});

function answers({ answers, text }: Operation) {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema }]) => {
      const content = {
        ...(schema === undefined ? {} : json(schema)),
        ...(text === undefined ? {} : { [text]: { schema: z.string() } }),
      };
      return [status, Object.keys(content).length === 0 ? { description } : { description, content }];
    }),
  );
}

function problems(action: Action, about: Operation) {
  const possible = problemsOf(action, about);
  const byStatus = new Map<number, string[]>();
  for (const kind of possible) {
    const { status, title } = problemKinds[kind];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `${title} (\`${kind}\`)`]);
  }
  const content = { 'application/problem+json': { schema: problemSchema } };
  return Object.fromEntries(
    [...byStatus].map(([status, titles]) => [status, { description: titles.join('; '), content }]),
  );
}

function problemsOf({ method, role }: Action, { params, body }: Operation): readonly ProblemKind[] {
  const token: ProblemKind[] = role === null ? [] : ['unauthenticated', 'forbidden', 'unavailable'];
  const subject: ProblemKind[] = params === undefined ? [] : ['not_found'];
  const sent: ProblemKind[] = body === undefined ? [] : ['payload_too_large', 'unsupported_media_type'];
  const posted: ProblemKind[] = method === 'post' ? ['busy', 'idempotency_key_reused'] : [];
  const revoked: ProblemKind[] = method === 'delete' ? ['conflict'] : [];
  return ['invalid_request', ...token, ...subject, ...sent, ...posted, ...revoked, 'rate_limited', 'internal'];
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } };
}
