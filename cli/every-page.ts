import type { z } from 'zod';
import { pageOf } from '../domain/answer.ts';
import type { Api } from './client.ts';

/** A list that people expect whole, as one page. */
export async function everyPage<T extends z.ZodType>(
  api: Api,
  path: string,
  item: T,
  filter: Readonly<Record<string, string>> = {},
): Promise<{ items: z.output<T>[]; next_cursor: null }> {
  const items: z.output<T>[] = [];
  const query = new URLSearchParams({ ...filter, limit: '200' });
  for (;;) {
    const page = await api.get(`${path}?${query.toString()}`, pageOf(item, 'Page'));
    items.push(...page.items);
    if (page.next_cursor === null) return { items, next_cursor: null };
    query.set('cursor', page.next_cursor);
  }
}
