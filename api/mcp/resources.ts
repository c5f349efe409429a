import type {
  ListResourcesResult,
  ReadResourceResult,
  Resource,
  ResourceTemplateType,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { ActionName } from '../../domain/action.ts';
import type { Asked } from '../perform.ts';
import { ApiProblem } from '../problem.ts';
import { redacted } from './redacted.ts';

const mimeType = 'application/json';

export const templates: readonly ResourceTemplateType[] = [
  {
    name: 'run',
    title: 'A run',
    uriTemplate: 'holdfast://runs/{id}',
    description: 'A deploy with its evidence, as deploy_show tells it.',
    mimeType,
  },
  {
    name: 'wave',
    title: 'A wave',
    uriTemplate: 'holdfast://waves/{id}',
    description: 'A wave of documents with its plan and evidence, as wave_show tells it.',
    mimeType,
  },
  {
    name: 'waves',
    title: 'The waves of a project',
    uriTemplate: 'holdfast://projects/{id}/waves{?cursor,limit}',
    description: 'Newest first, without their evidence, as wave_list tells them.',
    mimeType,
  },
  {
    name: 'logs',
    title: 'The log of a service',
    uriTemplate: 'holdfast://services/{name}/logs{?cursor,limit}',
    description: 'Its last lines, or with a cursor those from there on, as log_read tells them.',
    mimeType,
  },
];

type Parts = Pick<Asked, 'params' | 'query'>;
/** An action by its name, as the caller of this request; what it answers. */
export type Ask = (name: ActionName, parts: Parts) => Promise<object>;

const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next_cursor: z.string().nullable() });
const servicesPage = pageOf(z.object({ name: z.string() }));
const projectsPage = pageOf(z.object({ project: z.string() }));

/** What is listed, one after the other; a cursor is the name of a list and the cursor within it. */
const lists = {
  async service_list(ask: Ask, query: Record<string, string>): Promise<Listed> {
    const { items, next_cursor } = servicesPage.parse(await ask('service_list', { query }));
    const log = (name: string) => ({ title: `The log of ${name}`, uri: `holdfast://services/${name}/logs` });
    return { next_cursor, resources: items.map(({ name }) => ({ name: `${name} logs`, ...log(name), mimeType })) };
  },

  async project_list(ask: Ask, query: Record<string, string>): Promise<Listed> {
    const { items, next_cursor } = projectsPage.parse(await ask('project_list', { query }));
    const waves = (id: string) => ({ title: `The waves of ${id}`, uri: `holdfast://projects/${id}/waves` });
    const resources = items.map(({ project }) => ({ name: `${project} waves`, ...waves(project), mimeType }));
    return { next_cursor, resources };
  },
};

interface Listed {
  readonly resources: Resource[];
  readonly next_cursor: string | null;
}

type ListName = keyof typeof lists;
const listNames = Object.keys(lists) as ListName[];

/** The logs of all services, then the waves of all projects, in pages; `may`: what the caller may ask for. */
export async function listResources(
  ask: Ask,
  may: (name: ActionName) => boolean,
  cursor: string | undefined,
): Promise<ListResourcesResult> {
  const names = listNames.filter(may);
  const from = cursor === undefined ? null : placeOf(cursor);
  const resources: Resource[] = [];
  for (const name of names.slice(from === null ? 0 : names.indexOf(from.name))) {
    const query = name === from?.name ? { cursor: from.within } : {};
    const page = await lists[name](ask, query);
    resources.push(...page.resources);
    if (page.next_cursor !== null) return { resources, nextCursor: `${name}.${page.next_cursor}` };
  }
  return { resources };
}

function placeOf(cursor: string): { readonly name: ListName; readonly within: string } {
  const [, list = '', within = ''] = /^(\w+)\.(.+)$/.exec(cursor) ?? [];
  const name = listNames.find((each) => each === list);
  if (name === undefined) throw new ApiProblem('invalid_request', 'cursor: not a next_cursor that was given');
  return { name, within };
}

export async function readResource(ask: Ask, uri: string): Promise<ReadResourceResult> {
  const [action, parts] = actionOf(uri);
  return { contents: [{ uri, mimeType, text: redacted(await ask(action, parts)) }] };
}

function actionOf(uri: string): [ActionName, Parts] {
  const [, id] = /^holdfast:\/\/runs\/([^/?#]+)$/.exec(uri) ?? [];
  if (id !== undefined) return ['deploy_show', { params: { id: decoded(id) } }];
  const [, wave] = /^holdfast:\/\/waves\/([^/?#]+)$/.exec(uri) ?? [];
  if (wave !== undefined) return ['wave_show', { params: { id: decoded(wave) } }];
  const [, name, lines = ''] = /^holdfast:\/\/services\/([^/?#]+)\/logs(?:\?([^#]*))?$/.exec(uri) ?? [];
  if (name !== undefined) return ['log_read', { params: { name: decoded(name) }, query: queryOf(lines) }];
  const [, project, page = ''] = /^holdfast:\/\/projects\/([^/?#]+)\/waves(?:\?([^#]*))?$/.exec(uri) ?? [];
  if (project !== undefined) return ['wave_list', { params: { id: decoded(project) }, query: queryOf(page) }];
  throw new ApiProblem('not_found', `There is no resource ${uri}.`);
}

function queryOf(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // what it names does not exist, as the action will say
  }
}
