import { targetContract } from './contract.ts';

targetContract('rsync');
