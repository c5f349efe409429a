import postgres from 'postgres';

export type Sql = postgres.Sql;

/** A pool of connections. Notices are dropped; a server that does not answer is an error after 5 s, not a wait for ever. */
export function connect(url: string, options: { readonly name: string; readonly max?: number }): Sql {
  return postgres(url, {
    max: options.max ?? 5,
    connect_timeout: 5,
    idle_timeout: 60,
    // Back at once when the server is: the library's own wait grows to 20 s.
    backoff: () => 0.5,
    onnotice: () => undefined,
    connection: { application_name: options.name },
  });
}

/** The same server and role, another database. */
export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.toString();
}
