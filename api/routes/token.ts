import { z } from 'zod';
import type { EventStore } from '../../adapters/postgres/events.ts';
import type { TokenStore } from '../../adapters/postgres/tokens.ts';
import { actions } from '../../domain/action.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';

export interface TokenRouteDeps {
  readonly tokens: TokenStore;
  readonly events: EventStore;
}

export function tokenRoutes(route: Route, { tokens, events }: TokenRouteDeps): void {
  route('token_create', async ({ body, caller, tx }) => {
    const expires_at = body.expires_at === undefined ? null : new Date(body.expires_at);
    if (expires_at !== null && expires_at <= new Date()) {
      const errors = [{ path: 'expires_at', message: 'in the past' }];
      throw new ApiProblem('invalid_request', 'expires_at: in the past', { errors });
    }
    const { actor, role, projects = null } = body;
    const request = { actor, role, projects, expires_at };
    const { row, token } = await (tx === null ? tokens.create(request) : tokens.create(request, tx));
    const data = { actor, role, projects };
    await events.append({ type: 'token.created', subject: `token/${row.id}`, actor: caller.actor, data });
    return { status: 201, body: { ...row, token } };
  });

  route('token_list', async ({ query: { limit, cursor } }) => {
    const after = readCursor('token_list', cursor, z.string());
    const found = await tokens.list({ limit: limit + 1, ...(after === undefined ? {} : { after }) });
    return {
      status: 200,
      body: page(
        'token_list',
        found,
        limit,
        ({ id }) => id,
        (token) => token,
      ),
    };
  });

  route('token_revoke', async ({ params: { id }, caller }) => {
    const done = await tokens.revoke(id);
    if (done === 'unknown') throw new ApiProblem('not_found', `There is no token ${id}.`);
    if (done === 'last_admin') {
      const next = `holdfast ${actions.token_create.command}`;
      throw new ApiProblem('conflict', 'No other admin token lives as long as this one.', { next });
    }
    await events.append({
      type: 'token.revoked',
      subject: `token/${id}`,
      actor: caller.actor,
      once: `token.revoked/${id}`,
    });
    return { status: 204 };
  });
}
