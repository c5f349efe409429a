import { Connection } from '@temporalio/client';
import { connect } from '../../adapters/postgres/connect.ts';
import { connectQdrant, type QdrantServer } from '../../adapters/qdrant/connect.ts';
import { qdrantVersion } from '../../adapters/qdrant/version.ts';
import { connectionOptions, type TemporalServer } from '../../adapters/temporal/connect.ts';
import type { ServerState } from '../../domain/health.ts';
import { postgresProblem } from './postgres/postgres.ts';

// Whether a server that somebody else runs answers: asked of the server itself, for when our API cannot tell.

const patienceMs = 3_000;

export async function askTemporal(server: TemporalServer): Promise<ServerState> {
  try {
    const connection = await Connection.connect({ ...connectionOptions(server), connectTimeout: patienceMs });
    try {
      const { serverVersion } = await connection.workflowService.getSystemInfo({});
      return answers(serverVersion);
    } finally {
      await connection.close();
    }
  } catch {
    return { state: 'unavailable', version: null, reason: 'does not answer' };
  }
}

export async function askPostgres(url: string): Promise<ServerState> {
  const sql = connect(url, { name: 'holdfast-doctor', max: 1 });
  try {
    const [row] = await sql<{ server_version: string }[]>`show server_version`;
    return answers(row?.server_version ?? null);
  } catch (error) {
    return { state: 'unavailable', version: null, reason: postgresProblem(url, error).message };
  } finally {
    await sql.end({ timeout: 1 });
  }
}

export async function askQdrant(server: QdrantServer): Promise<ServerState> {
  try {
    return answers(await qdrantVersion(connectQdrant(server, patienceMs)));
  } catch (error) {
    return { state: 'unavailable', version: null, reason: error instanceof Error ? error.message : String(error) };
  }
}

function answers(version: string | null): ServerState {
  return { state: 'ok', version, reason: null };
}
