import { z } from 'zod';
import type { EventStore } from '../../adapters/postgres/events.ts';
import { page, readCursor } from '../page.ts';
import type { Route } from '../route.ts';

export function eventRoutes(route: Route, { events }: { readonly events: EventStore }): void {
  route('event_list', async ({ query: { limit, cursor, subject } }) => {
    const after = readCursor('event_list', cursor, z.number().int().nonnegative());
    const found = await events.list({ subject, limit: limit + 1, ...(after === undefined ? {} : { after }) });
    return {
      status: 200,
      body: page(
        'event_list',
        found,
        limit,
        ({ id }) => id,
        (event) => event,
      ),
    };
  });
}
