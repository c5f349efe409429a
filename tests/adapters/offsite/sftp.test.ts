import { targetContract } from './contract.ts';

targetContract('sftp');
