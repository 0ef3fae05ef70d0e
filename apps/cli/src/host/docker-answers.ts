import { z } from 'zod';

/** What is used of the engine's answers, under the engine's own names. Go writes an empty map or list as null. */

const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((found) => found ?? {});
const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((found) => found ?? []);
const version = z.object({ Index: z.number().int() });
const stored = { ID: z.string(), Version: version, CreatedAt: z.string(), UpdatedAt: z.string() };

export const versionAnswer = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string().default('1.24'),
  Os: z.string(),
  Arch: z.string(),
});
export type EngineVersion = z.infer<typeof versionAnswer>;

export const infoAnswer = z.object({
  Name: z.string(),
  ServerVersion: z.string(),
  Architecture: z.string(),
  NCPU: z.number(),
  MemTotal: z.number(),
  DockerRootDir: z.string(),
  /** Pairs of names and values about the way in which images are kept. */
  DriverStatus: listOf(z.array(z.string())),
  Swarm: z.object({
    NodeID: z.string(),
    /** inactive, pending, active, error, locked */
    LocalNodeState: z.string(),
    /** This engine is a manager: only managers answer about services, configs and nodes. */
    ControlAvailable: z.boolean(),
    Error: z.string().default(''),
    Nodes: z.number().optional(),
    Managers: z.number().optional(),
  }),
});
export type EngineInfo = z.infer<typeof infoAnswer>;

const node = z.object({
  ...stored,
  Spec: z.object({ Role: z.string(), Availability: z.string(), Labels: labels }),
  Description: z.object({
    Hostname: z.string(),
    Platform: z.object({ Architecture: z.string(), OS: z.string() }),
    Resources: z.object({ NanoCPUs: z.number().optional(), MemoryBytes: z.number().optional() }),
    Engine: z.object({ EngineVersion: z.string(), Labels: labels }),
  }),
  Status: z.object({ State: z.string(), Message: z.string().optional(), Addr: z.string().optional() }),
  ManagerStatus: z
    .object({ Leader: z.boolean().default(false), Reachability: z.string(), Addr: z.string() })
    .optional(),
});
export type Node = z.infer<typeof node>;
export const nodesAnswer = listOf(node);

/** Loose: whoever writes a specification back has to write all of it. */
const taskTemplate = z.looseObject({
  ContainerSpec: z.looseObject({ Image: z.string(), Labels: labels, Env: listOf(z.string()) }).optional(),
  ForceUpdate: z.number().optional(),
});
const serviceSpec = z.looseObject({
  Name: z.string(),
  Labels: labels,
  TaskTemplate: taskTemplate,
  Mode: z.looseObject({ Replicated: z.object({ Replicas: z.number().optional() }).optional() }),
});
export const serviceAnswer = z.object({
  ...stored,
  Spec: serviceSpec,
  PreviousSpec: serviceSpec.optional(),
  /** State: updating, paused, completed, rollback_started, rollback_paused, rollback_completed. */
  UpdateStatus: z
    .object({
      State: z.string().optional(),
      StartedAt: z.string().optional(),
      CompletedAt: z.string().optional(),
      Message: z.string().optional(),
    })
    .optional(),
  ServiceStatus: z.object({ RunningTasks: z.number(), DesiredTasks: z.number() }).optional(),
});
export type Service = z.infer<typeof serviceAnswer>;
export const servicesAnswer = listOf(serviceAnswer);

const task = z.object({
  ...stored,
  Spec: taskTemplate,
  ServiceID: z.string().optional(),
  Slot: z.number().optional(),
  NodeID: z.string().optional(),
  /** What the orchestrator wants: running, shutdown, remove. */
  DesiredState: z.string(),
  Status: z.object({
    State: z.string(),
    Timestamp: z.string(),
    Message: z.string().optional(),
    Err: z.string().optional(),
    ContainerStatus: z
      .object({
        ContainerID: z.string().default(''),
        PID: z.number().optional(),
        ExitCode: z.number().optional(),
      })
      .optional(),
  }),
});
export type Task = z.infer<typeof task>;
export const tasksAnswer = listOf(task);

const containerSummary = z.object({
  Id: z.string(),
  Names: listOf(z.string()),
  Image: z.string(),
  ImageID: z.string(),
  Labels: labels,
  Created: z.number(),
  State: z.string(),
  Status: z.string(),
});
export type ContainerSummary = z.infer<typeof containerSummary>;
export const containersAnswer = listOf(containerSummary);

export const containerAnswer = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  Created: z.string(),
  State: z.object({
    Status: z.string(),
    Running: z.boolean(),
    ExitCode: z.number(),
    OOMKilled: z.boolean(),
    StartedAt: z.string(),
    FinishedAt: z.string(),
    Error: z.string().default(''),
    Health: z
      .object({
        Status: z.string(),
        FailingStreak: z.number(),
        Log: listOf(
          z.object({ Start: z.string(), End: z.string(), ExitCode: z.number(), Output: z.string() }),
        ),
      })
      .optional(),
  }),
  Config: z.looseObject({ Image: z.string(), Labels: labels, Env: listOf(z.string()) }),
  NetworkSettings: z.object({
    Networks: z.record(z.string(), z.object({ IPAddress: z.string().default('') })).nullish(),
  }),
});
export type Container = z.infer<typeof containerAnswer>;

export const configAnswer = z.object({
  ...stored,
  Spec: z.object({ Name: z.string(), Labels: labels, Data: z.base64().default('') }),
});
export type Config = z.infer<typeof configAnswer>;
export const configsAnswer = listOf(configAnswer);

const secret = z.object({ ...stored, Spec: z.object({ Name: z.string(), Labels: labels }) });
export type Secret = z.infer<typeof secret>;
export const secretsAnswer = listOf(secret);

export const createdAnswer = z.object({ ID: z.string() });

export const imageAnswer = z.object({
  Id: z.string(),
  RepoTags: listOf(z.string()),
  RepoDigests: listOf(z.string()),
  Created: z.string().optional(),
  Size: z.number(),
  Architecture: z.string(),
  Os: z.string(),
  RootFS: z.object({ Layers: listOf(z.string()) }).default({ Layers: [] }),
  Config: z
    .looseObject({ Labels: labels })
    .nullish()
    .transform((found) => found ?? { Labels: {} }),
});
export type Image = z.infer<typeof imageAnswer>;

export const eventAnswer = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: labels }),
  scope: z.string().optional(),
  timeNano: z.number(),
});
export type DockerEvent = z.infer<typeof eventAnswer>;
