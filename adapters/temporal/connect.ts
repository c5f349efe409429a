import { Client, Connection } from '@temporalio/client';

export interface Temporal {
  readonly client: Client;
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Connects lazily: a server that is down is found at the first call, and one that comes back is used again. */
export function connectTemporal({ address, namespace }: { address: string; namespace: string }): Temporal {
  const connection = Connection.lazy({
    address,
    // Back soon after the server is: left alone, gRPC waits longer and longer.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 },
  });
  return {
    connection,
    client: new Client({ connection, namespace }),
    close: () => connection.close(),
  };
}
