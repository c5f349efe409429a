import { hubModel } from '../../../adapters/embeddings/local-models.ts';
import { builtTemporal } from '../prerequisites.js';

// Everything that Holdfast may fetch from other projects: where it is, which version, and where its publisher says its checksum.

/** Where the publisher says what the bytes are. */
export type ChecksumSource =
  /** A file of the release in the form of sha256sum. */
  | { readonly kind: 'checksum file'; readonly url: string; readonly name: string }
  /** What the forge saw when the asset was uploaded: `digest` of an asset, in its answer about the release. */
  | { readonly kind: 'asset digest'; readonly url: string; readonly name: string }
  /** The hub's listing of a revision: the SHA-256 of what is in LFS, git's own id of what is not. */
  | { readonly kind: 'hub listing'; readonly url: string; readonly name: string };

export interface UpstreamFile {
  /** For people. */
  readonly title: string;
  /** Ours alone in the cache: no other version or platform has it. */
  readonly key: string;
  readonly url: string;
  readonly checksum: ChecksumSource;
}

/** One program in a .tar.gz. */
export interface Release extends UpstreamFile {
  readonly version: string;
  /** Its path in the archive. */
  readonly program: string;
  /** Finds the version in what `--version` prints. */
  readonly says: RegExp;
}

export interface Platform {
  readonly platform: string;
  readonly arch: string;
}

export const pinnedQdrant = '1.18.3';

/** Of the same version as what is built from source; null where the project publishes none. */
export function temporalRelease({ platform, arch }: Platform = process): Release | null {
  const machine = ({ x64: 'amd64', arm64: 'arm64' } as Record<string, string>)[arch];
  if (platform !== 'linux' || machine === undefined) return null;
  const name = `temporal_cli_${builtTemporal}_linux_${machine}.tar.gz`;
  const folder = `https://github.com/temporalio/cli/releases/download/v${builtTemporal}`;
  return {
    title: `Temporal ${builtTemporal}`,
    key: name,
    url: `${folder}/${name}`,
    checksum: { kind: 'checksum file', url: `${folder}/checksums.txt`, name },
    version: builtTemporal,
    program: 'temporal',
    says: /temporal version (\S+)/,
  };
}

/**
 * The static (musl) build for both machines: that for glibc is made on a newer system than many run, and exists for one of
 * them only. Qdrant brings its own allocator, so musl's is not in the way. Its releases have no checksum file.
 */
export function qdrantRelease({ platform, arch }: Platform = process): Release | null {
  const machine = ({ x64: 'x86_64', arm64: 'aarch64' } as Record<string, string>)[arch];
  if (platform !== 'linux' || machine === undefined) return null;
  const name = `qdrant-${machine}-unknown-linux-musl.tar.gz`;
  return {
    title: `Qdrant ${pinnedQdrant}`,
    key: `${pinnedQdrant}-${name}`,
    url: `https://github.com/qdrant/qdrant/releases/download/v${pinnedQdrant}/${name}`,
    checksum: {
      kind: 'asset digest',
      url: `https://api.github.com/repos/qdrant/qdrant/releases/tags/v${pinnedQdrant}`,
      name,
    },
    version: pinnedQdrant,
    program: 'qdrant',
    says: /qdrant (\S+)/,
  };
}

export interface Model {
  /** For people, and the folder in the cache. */
  readonly name: string;
  readonly revision: string;
  readonly files: readonly (UpstreamFile & {
    /** In the model's folder. */
    readonly path: string;
    /** In hex. */
    readonly sha256: string;
  })[];
}

const miniLm = { repository: 'Xenova/all-MiniLM-L6-v2', revision: '751bff37182d3f1213fa05d7196b954e230abad9' };

/** all-MiniLM-L6-v2: 384 dimensions, weights in int8. */
export const embeddingModel: Model = {
  name: 'all-MiniLM-L6-v2-int8',
  revision: miniLm.revision,
  files: [hubModel.tokenizer, hubModel.tokenizerConfig, hubModel.weights].map(({ path, sha256 }) => ({
    title: `all-MiniLM-L6-v2 (${path})`,
    key: `all-MiniLM-L6-v2-${miniLm.revision}-${path.replaceAll('/', '-')}`,
    url: `https://huggingface.co/${miniLm.repository}/resolve/${miniLm.revision}/${path}`,
    checksum: {
      kind: 'hub listing',
      url: `https://huggingface.co/api/models/${miniLm.repository}/tree/${miniLm.revision}?recursive=true`,
      name: path,
    },
    ...{ path, sha256 },
  })),
};

/** Container images. infra/compose.yaml repeats them: compose reads no TypeScript. A test says when they differ. */
export const images = {
  // The server that is inside the pinned `temporal`, so that a box and a cluster run the same.
  temporalServer: 'temporalio/server:1.29.1',
  temporalAdminTools: 'temporalio/admin-tools:1.29.1-tctl-1.18.4-cli-1.5.0',
  temporalUi: 'temporalio/ui:2.42.1',
  postgres: 'postgres:17',
  qdrant: `qdrant/qdrant:v${pinnedQdrant}`,
} as const;
