import { Client, Connection } from '@temporalio/client';

export interface Temporal {
  readonly client: Client;
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Connects lazily: a server that is down is found at the first call, and one that comes back is used again. */
export function connectTemporal({ address, namespace }: { address: string; namespace: string }): Temporal {
  const connection = Connection.lazy({ address });
  return {
    connection,
    client: new Client({ connection, namespace }),
    close: () => connection.close(),
  };
}
