import { Client, Connection, type TLSConfig } from '@temporalio/client';
import { readFileSync } from 'node:fs';

/** Certificates in PEM, by absolute path; null: those of the system, no client certificate. */
interface TlsFiles {
  readonly certPath: string | null;
  readonly keyPath: string | null;
  readonly caPath: string | null;
  readonly serverName: string | null;
}

export interface TemporalServer {
  /** host:port */
  readonly address: string;
  /** null: plain. */
  readonly tls?: TlsFiles | null;
  readonly apiKey?: string | null;
}

interface ConnectionOptions {
  readonly address: string;
  readonly tls?: TLSConfig;
  readonly apiKey?: string;
}

/** For the client's connections and the workers' alike. Throws when a certificate cannot be read. */
export function connectionOptions({ address, tls = null, apiKey = null }: TemporalServer): ConnectionOptions {
  return { address, ...(tls === null ? {} : { tls: tlsConfig(tls) }), ...(apiKey === null ? {} : { apiKey }) };
}

function tlsConfig({ certPath, keyPath, caPath, serverName }: TlsFiles): TLSConfig {
  return {
    ...(serverName === null ? {} : { serverNameOverride: serverName }),
    ...(caPath === null ? {} : { serverRootCACertificate: readFileSync(caPath) }),
    ...(certPath === null || keyPath === null
      ? {}
      : { clientCertPair: { crt: readFileSync(certPath), key: readFileSync(keyPath) } }),
  };
}

export interface Temporal {
  readonly client: Client;
  readonly connection: Connection;
  close(): Promise<void>;
}

/** Connects lazily: a server that is down is found at the first call, and one that comes back is used again. */
export function connectTemporal({ namespace, ...server }: TemporalServer & { readonly namespace: string }): Temporal {
  const connection = Connection.lazy({
    ...connectionOptions(server),
    // Back soon after the server is: left alone, gRPC waits longer and longer.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 },
  });
  return {
    connection,
    client: new Client({ connection, namespace }),
    close: () => connection.close(),
  };
}
