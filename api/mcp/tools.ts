import type { Tool } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { actions, type Action, type ActionName } from '../../domain/action.ts';
import type { Role } from '../../domain/role.ts';
import { keyForm } from '../idempotency.ts';
import { operations, type Operation } from '../operations.ts';
import type { Asked } from '../perform.ts';
import { ApiProblem } from '../problem.ts';
import { jsonSchemaOf } from './json-schema.ts';

/** What only a person does, or only a machine reads. */
const notTools = [
  // Bytes have no place in a call.
  'source_upload',
  ...(['project_webhook', 'project_webhook_secret'] as const),
  ...(['metrics_show', 'service_register', 'token_create', 'token_list', 'token_revoke'] as const),
  // What takes away the last way back, or says when: a person's.
  ...(['backup_prune', 'backup_unpin', 'schedule_put', 'offsite_put', 'offsite_remove', 'backup_key_trust'] as const),
  ...(['restore_start', 'restore_cancel', 'restore_undo', 'restore_release'] as const),
  ...(['proposal_approve', 'proposal_reject', 'question_set_put', 'export_read', 'import_apply'] as const),
] as const;

type ToolName = Exclude<ActionName, (typeof notTools)[number]>;
type Changing = { [N in ToolName]: (typeof actions)[N]['method'] extends 'get' ? never : N }[ToolName];

interface Hints {
  /** Left out: whether it is a GET. */
  readonly readOnlyHint?: true;
  /** Takes away or replaces something that was there. */
  readonly destructiveHint: boolean;
  /** A second time changes no more than the first. */
  readonly idempotentHint: boolean;
  /** Reaches beyond Holdfast and what it runs. */
  readonly openWorldHint: boolean;
}

const changing: Readonly<Record<Changing, Hints>> = {
  search: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  drill_start: { destructiveHint: true, idempotentHint: false, openWorldHint: false },
  memory_create: { destructiveHint: false, idempotentHint: false, openWorldHint: false },
  memory_forget: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
  memory_search: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  source_file_remove: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
  backup_create: { destructiveHint: false, idempotentHint: false, openWorldHint: false },
  backup_push: { destructiveHint: false, idempotentHint: true, openWorldHint: true },
  backup_pull: { destructiveHint: false, idempotentHint: true, openWorldHint: true },
  backup_validate: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
  backup_pin: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
  evaluation_start: { destructiveHint: false, idempotentHint: false, openWorldHint: false },
  service_stop: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
  safe_mode_clear: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
  deploy_start: { destructiveHint: true, idempotentHint: false, openWorldHint: true },
  deploy_override: { destructiveHint: true, idempotentHint: false, openWorldHint: false },
  wave_start: { destructiveHint: true, idempotentHint: false, openWorldHint: true },
  wave_approve: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
  wave_pause: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
  wave_resume: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
  wave_cancel: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
  wave_retry: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
  wave_complete: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
  project_refresh: { destructiveHint: true, idempotentHint: true, openWorldHint: true },
  project_rollback: { destructiveHint: true, idempotentHint: false, openWorldHint: false },
  project_release: { destructiveHint: false, idempotentHint: true, openWorldHint: false },
  project_propose: { destructiveHint: false, idempotentHint: false, openWorldHint: false },
  project_refine_propose: { destructiveHint: false, idempotentHint: false, openWorldHint: false },
  proposal_withdraw: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
};
const reading: Hints = { destructiveHint: false, idempotentHint: true, openWorldHint: false };

/** Where an agent needs other words than a reader of the API. */
const descriptions: Readonly<Partial<Record<ToolName, string>>> = {
  deploy_start:
    'Deploy a service, or roll it back. Answers at once with the deploy; call deploy_show with its id until closed_at is set.',
  search:
    'Search the projects that are named, and no others. Hits come best first, each with its project, source, path, heading and offsets. Look at degraded before calling an empty answer nothing: it says what was away.',
  evaluation_start:
    'Measure the answers to a question set of a project. Answers at once; call evaluation_show with its id until result.state is done or failed.',
  backup_create:
    'Make a recovery point. Answers at once with its run; call backup_run_show with its id until closed_at is set. Only the outcome published means that there is one.',
  deploy_show: 'One deploy with its evidence: how far it got, and once closed_at is set, its outcome and why.',
  project_propose:
    'Propose a new project. Nothing is in force before a person approves it: proposal_show with its id says what became of it.',
  project_refine_propose:
    'Propose another version of a project, by the version that project_show told. What is not named stays as it is; a list that is named, such as sources or aliases, is taken whole. A person approves it.',
  service_stop: 'Stop a service and keep it stopped. Answers at once with the run that stops it.',
};

const idempotencyKey = z
  .string()
  .regex(keyForm.pattern, keyForm.message)
  .optional()
  .meta({ description: 'The same key gives the same answer for ever, without a second effect.' });

const doneSchema = z.object({ done: z.literal(true) });

export interface McpTool {
  readonly name: ToolName;
  /** As `tools/list` shows it. */
  readonly shown: Tool;
  /** The flat arguments as the parts of a request; throws ApiProblem. */
  readonly read: (given: Readonly<Record<string, unknown>>) => Pick<Asked, 'params' | 'query' | 'body' | 'key'>;
  /** The weakest role that may call it. */
  readonly role: Role;
}

/** Every action that is a tool, in the order of the table. Throws when the fields of an action cannot stand side by side. */
export function createTools(): ReadonlyMap<string, McpTool> {
  const names = (Object.keys(actions) as ActionName[]).filter(isTool);
  return new Map(names.map((name) => [name, createTool(name, actions[name], operations[name])]));
}

function isTool(name: ActionName): name is ToolName {
  return !(notTools as readonly string[]).includes(name);
}

function createTool(name: ToolName, { method, role }: Action, operation: Operation): McpTool {
  const parts = partsOf(name, operation, method);
  const fields = z.strictObject(Object.assign({}, ...Object.values(parts)) as z.core.$ZodShape);
  const hints = method === 'get' ? reading : changing[name as Changing];
  const needs = role === null ? '' : ` Needs the role ${role}.`;
  return {
    name,
    shown: {
      name,
      title: titleOf(name),
      description: `${descriptions[name] ?? operation.summary}${descriptions[name] === undefined ? '.' : ''}${needs}`,
      inputSchema: jsonSchemaOf(fields, 'input'),
      outputSchema: jsonSchemaOf(answerOf(operation), 'output'),
      annotations: { title: titleOf(name), readOnlyHint: method === 'get', ...hints },
    },
    read: (given) => read(parts, given),
    role: role ?? 'viewer',
  };
}

type Parts = Readonly<Record<'params' | 'query' | 'body' | 'own', z.core.$ZodShape>>;

function partsOf(name: string, { params, query, body }: Operation, method: Action['method']): Parts {
  if (body !== undefined && !(body instanceof z.ZodObject)) throw new Error(`${name}: a body that is no object`);
  const parts: Parts = {
    params: params?.shape ?? {},
    query: query?.shape ?? {},
    body: body?.shape ?? {},
    own: method === 'post' ? { idempotency_key: idempotencyKey } : {},
  };
  const fields = Object.values(parts).flatMap((shape) => Object.keys(shape));
  const twice = fields.filter((field, index) => fields.indexOf(field) !== index);
  if (twice.length > 0) throw new Error(`${name}: two fields of one name: ${twice.join(', ')}`);
  return parts;
}

/** What is in a field is for the action to judge; here only where it belongs. */
function read(parts: Parts, given: Readonly<Record<string, unknown>>): ReturnType<McpTool['read']> {
  const known = new Set(Object.values(parts).flatMap((shape) => Object.keys(shape)));
  const unknown = Object.keys(given).filter((field) => !known.has(field));
  if (unknown.length > 0) {
    const errors = unknown.map((path) => ({ path, message: 'unknown field' }));
    throw new ApiProblem('invalid_request', `unknown field: ${unknown.join(', ')}`, { errors });
  }
  const key = idempotencyKey.safeParse(given['idempotency_key']);
  if (!key.success) {
    const errors = [{ path: 'idempotency_key', message: keyForm.message }];
    throw new ApiProblem('invalid_request', `idempotency_key: ${keyForm.message}`, { errors });
  }
  const { params, query, body } = parts;
  return { params: pick(params, given), query: pick(query, given), body: pick(body, given), key: key.data ?? null };
}

/** In the order of the schema, so that the same arguments in another order are the same request. */
function pick(shape: z.core.$ZodShape, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const present = Object.keys(shape).filter((field) => given[field] !== undefined);
  return Object.fromEntries(present.map((field) => [field, given[field]]));
}

/** The schema of the first answer that is a success. */
function answerOf({ answers }: Operation): z.ZodType {
  const [first] = Object.entries(answers).filter(([status]) => Number(status) < 300);
  return first?.[1].schema ?? doneSchema;
}

function titleOf(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
