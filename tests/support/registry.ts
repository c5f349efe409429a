import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry of images on this machine, of which Docker asks for no certificate: the reading half of the OCI protocol. */
export interface Registry {
  readonly port: number;
  /** Puts an image of one file there; returns its id. */
  publish(repository: string, tag: string, content: string): string;
  withdraw(repository: string, tag: string): void;
  stop(): void;
}

const types = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar',
};

export async function startRegistry(): Promise<Registry> {
  const blobs = new Map<string, Buffer>();
  const tags = new Map<string, string>();
  const server = createServer((request, response) => {
    const [, repository, kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    if (repository === undefined) return void response.end('{}');
    const digest = tags.get(`${repository}:${reference}`) ?? reference;
    const found = blobs.get(digest);
    const type = kind === 'manifests' ? types.manifest : 'application/octet-stream';
    const unknown = '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}';
    const headers = {
      'content-type': type,
      'docker-content-digest': digest,
      'content-length': found?.length ?? unknown.length,
    };
    response.writeHead(found === undefined ? 404 : 200, headers);
    response.end(request.method === 'HEAD' ? undefined : (found ?? unknown));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const put = (content: Buffer) => {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    blobs.set(digest, content);
    return { digest, size: content.length };
  };

  return {
    port: (server.address() as AddressInfo).port,
    publish(repository, tag, content) {
      const layer = put(tarOf('content', content));
      const rootfs = { type: 'layers', diff_ids: [layer.digest] };
      const image = { architecture: architecture(), os: 'linux', config: { Cmd: ['/content'] }, rootfs };
      const config = put(Buffer.from(JSON.stringify(image)));
      const parts = {
        config: { mediaType: types.config, ...config },
        layers: [{ mediaType: types.layer, ...layer }],
      };
      const manifest = { schemaVersion: 2, mediaType: types.manifest, ...parts };
      tags.set(`${repository}:${tag}`, put(Buffer.from(JSON.stringify(manifest))).digest);
      return config.digest;
    },
    withdraw: (repository, tag) => void tags.delete(`${repository}:${tag}`),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

/** One file in the format of tar. */
function tarOf(name: string, content: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${Buffer.byteLength(content).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512);
  body.write(content);
  return Buffer.concat([header, body, Buffer.alloc(1_024)]);
}
