import * as artifacts from '../artifacts.ts';
import * as deployments from '../deployments.ts';
import { release, releaseList, releasePath, rollbackService } from '../releases.ts';
import { deployService, operationResult } from '../services.ts';
import { emptyBody, failedDeploy, type Operation, onService } from './operation.ts';

const onDeployment = { tag: 'services', path: deployments.deploymentPath } as const;
const deploymentErrors = ['service_not_found', 'deployment_not_found'] as const;
const artifactErrors = [
  'command_sealed',
  'artifact_not_found',
  'artifact_refused',
  'checksum_mismatch',
] as const;

/** How a service gets another release: deployments, releases and the archives that they are made of. */
export const deploymentOperations = {
  deployService: {
    ...onService,
    summary: 'Make a new release and replace what runs by it',
    query: deployments.deployQuery,
    body: deployService,
    archive: 'allowed',
    answer: operationResult,
    errors: [...failedDeploy, ...artifactErrors],
  },
  rollbackService: {
    ...onService,
    summary: 'Make an earlier release the current one again',
    body: rollbackService,
    answer: operationResult,
    errors: ['service_not_found', 'release_not_found', ...failedDeploy],
  },
  listDeployments: {
    ...onService,
    summary: 'The deployments of a service, newest first',
    query: deployments.deploymentsQuery,
    answer: deployments.deploymentList,
    errors: ['service_not_found'],
  },
  showDeployment: {
    ...onDeployment,
    summary: 'One deployment with its steps',
    answer: deployments.deployment,
    errors: deploymentErrors,
  },
  cancelDeployment: {
    ...onDeployment,
    summary: 'End a deployment that waits or is under way; what served before serves again',
    body: emptyBody,
    answer: deployments.deployment,
    errors: [...deploymentErrors, 'state_conflict', 'shutting_down'],
  },
  promoteDeployment: {
    ...onDeployment,
    summary: 'End the comparing of a deployment: its release gets all requests',
    body: emptyBody,
    answer: deployments.deployment,
    errors: [...deploymentErrors, 'state_conflict', 'shutting_down'],
  },
  listReleases: {
    ...onService,
    summary: 'The releases of a service, newest first',
    answer: releaseList,
    errors: ['service_not_found'],
  },
  showRelease: {
    tag: 'services',
    path: releasePath,
    summary: 'One release',
    answer: release,
    errors: ['service_not_found', 'release_not_found'],
  },
  uploadArtifact: {
    ...onService,
    summary: 'Upload an archive that a deploy can name',
    query: artifacts.uploadQuery,
    archive: 'only',
    answer: artifacts.uploadedArtifact,
    success: 201,
    errors: ['service_not_found', 'checksum_mismatch', 'storage_unavailable', 'shutting_down'],
  },
  listArtifacts: {
    ...onService,
    summary: 'The archives that are kept of a service, newest first',
    answer: artifacts.artifactList,
    errors: ['service_not_found'],
  },
} as const satisfies Record<string, Operation>;
