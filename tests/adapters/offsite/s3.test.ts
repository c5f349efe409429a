import { targetContract } from './contract.ts';

targetContract('s3');
