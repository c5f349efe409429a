import { qdrantServer } from '../support/qdrant.ts';
import { describeAccess } from './qdrant-contract/access.ts';
import { describeAliases } from './qdrant-contract/aliases.ts';
import { describeCollectionInfo } from './qdrant-contract/collection-info.ts';
import { describeCollections } from './qdrant-contract/collections.ts';
import { describeEnvelope } from './qdrant-contract/envelope.ts';
import { describeFacet } from './qdrant-contract/facet.ts';
import { describeFilters } from './qdrant-contract/filters.ts';
import { describeFusion } from './qdrant-contract/fusion.ts';
import { describeOrderBy } from './qdrant-contract/order-by.ts';
import { describePayloadIndexes } from './qdrant-contract/payload-indexes.ts';
import { describePayload } from './qdrant-contract/payload.ts';
import { describePoints } from './qdrant-contract/points.ts';
import { describeQuery } from './qdrant-contract/query.ts';
import { describeReads } from './qdrant-contract/reads.ts';
import { describeRecover } from './qdrant-contract/recover.ts';
import { describeService } from './qdrant-contract/service.ts';
import { describeSnapshots } from './qdrant-contract/snapshots.ts';
import { describeStrictness } from './qdrant-contract/strictness.ts';
import { describeVectors } from './qdrant-contract/vectors.ts';

/**
 * What Holdfast relies on of Qdrant 1.17 and 1.18, all of it also true of the real server: QDRANT_URL (with QDRANT_API_KEY,
 * QDRANT_READ_ONLY_API_KEY and QDRANT_SNAPSHOTS_PATH, where there are any) says which one is asked.
 */
const server = qdrantServer();

describeService(server);
describeEnvelope(server);
describeAccess(server);
describeStrictness(server);
describeCollections(server);
describeCollectionInfo(server);
describeAliases(server);
describePayloadIndexes(server);
describePoints(server);
describePayload(server);
describeVectors(server);
describeReads(server);
describeOrderBy(server);
describeFilters(server);
describeFacet(server);
describeQuery(server);
describeFusion(server);
describeSnapshots(server);
describeRecover(server);
