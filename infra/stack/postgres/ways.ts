import type { Home } from '../home.ts';
import { postgresContainer } from './container.ts';
import { installedPrograms, packagedPrograms, type PostgresPrograms } from './programs.ts';
import { postgresPart } from './postgres.ts';
import { StackError } from '../stack-error.ts';
import type { Part } from '../supervised.ts';
import { firstFound } from '../ways.ts';

export interface PostgresSearch {
  readonly home: Home;
  readonly port: number;
  /** An image with a tag that begins with its major version. */
  readonly image: string;
  /** As in DOCKER_HOST. */
  readonly dockerHost: string;
  /** False: of images, only those that are on this machine. */
  readonly mayPull: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface PostgresServer {
  readonly part: Part;
  /** Where it came from, for people. */
  readonly origin: string;
}

/** A server for the data of this home, made if there is none: installed, else in a container, else installed now. */
export function findPostgres(search: PostgresSearch): Promise<PostgresServer> {
  const { home, port, say } = search;
  const data = home.path('pg', 'data');
  const outside = async (programs: PostgresPrograms): Promise<PostgresServer> => ({
    part: await postgresPart(home, programs, port),
    origin: `${programs.major}, ${programs.bin}`,
  });
  const ways = [
    async () => outside(await installedPrograms(data)),
    () => postgresContainer(search),
    async () => outside(await packagedPrograms(data, say)),
  ];
  return firstFound(ways, {
    say,
    otherwise: (closed) =>
      new StackError(
        `No PostgreSQL for ${data}: ${closed.join('; ')}`,
        'Install PostgreSQL or start Docker, or set DATABASE_URL to a server.',
      ),
  });
}
