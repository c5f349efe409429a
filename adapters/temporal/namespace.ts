import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { searchAttributeNames } from '../../domain/search-attributes.ts';

/** Evidence is kept for ever in Postgres; the history behind it for this long. */
const retention = msToTs('30 days');
const keyword = 2; // temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
const grpcNotFound = 5;
const grpcAlreadyExists = 6;

/** The namespace with our retention and search attributes: registered, mended, or left as it is. May be repeated. */
export async function ensureNamespace(connection: Connection, namespace: string): Promise<void> {
  const { workflowService, operatorService } = connection;
  const found = await orNull(workflowService.describeNamespace({ namespace }), grpcNotFound);
  if (found === null) {
    const registration = { namespace, workflowExecutionRetentionPeriod: retention };
    await orNull(workflowService.registerNamespace(registration), grpcAlreadyExists);
  } else if (String(found.config?.workflowExecutionRetentionTtl?.seconds) !== String(retention.seconds)) {
    await workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: retention } });
  }

  const known = await untilKnown(() => operatorService.listSearchAttributes({ namespace }));
  const missing = searchAttributeNames.filter((name) => !(name in known.customAttributes));
  if (missing.length === 0) return;
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, keyword]));
  await orNull(operatorService.addSearchAttributes({ namespace, searchAttributes }), grpcAlreadyExists);
}

/** A namespace that was registered a moment ago is not known to every part of the server yet. */
async function untilKnown<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await orNull(ask(), attempt < 100 ? grpcNotFound : null);
    if (answer !== null) return answer;
    await sleep(100);
  }
}

async function orNull<T>(call: Promise<T>, expected: number | null): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === expected) return null;
    throw error;
  }
}
