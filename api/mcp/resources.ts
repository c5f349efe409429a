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

const servicesPage = z.object({ items: z.array(z.object({ name: z.string() })), next_cursor: z.string().nullable() });

/** The logs of all services, in pages; a cursor is that of service_list. */
export async function listResources(ask: Ask, cursor: string | undefined): Promise<ListResourcesResult> {
  const page = servicesPage.parse(await ask('service_list', { query: cursor === undefined ? {} : { cursor } }));
  const resources = page.items.map(({ name }): Resource => ({
    name: `${name} logs`,
    title: `The log of ${name}`,
    uri: `holdfast://services/${name}/logs`,
    mimeType,
  }));
  return { resources, ...(page.next_cursor === null ? {} : { nextCursor: page.next_cursor }) };
}

export async function readResource(ask: Ask, uri: string): Promise<ReadResourceResult> {
  const [action, parts] = actionOf(uri);
  return { contents: [{ uri, mimeType, text: redacted(await ask(action, parts)) }] };
}

function actionOf(uri: string): [ActionName, Parts] {
  const [, id] = /^holdfast:\/\/runs\/([^/?#]+)$/.exec(uri) ?? [];
  if (id !== undefined) return ['deploy_show', { params: { id: decoded(id) } }];
  const [, name, query = ''] = /^holdfast:\/\/services\/([^/?#]+)\/logs(?:\?([^#]*))?$/.exec(uri) ?? [];
  if (name === undefined) throw new ApiProblem('not_found', `There is no resource ${uri}.`);
  return ['log_read', { params: { name: decoded(name) }, query: Object.fromEntries(new URLSearchParams(query)) }];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // what it names does not exist, as the action will say
  }
}
