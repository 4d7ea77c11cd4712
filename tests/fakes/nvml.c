/* A stand-in for libnvidia-ml.so.1 over the real C ABI, driven by a table.
 *
 * FAKE_NVML names a file of lines "WHO.WHAT VALUE"; WHO is sys, a device number (0), a MIG instance (0m1),
 * or * for any device. What has no line answers NOT_SUPPORTED. In place of a value:
 *   !15    the call returns code 15          ~60   the call hangs for 60 s
 *   @SEGV  the process crashes               \xNN  (inside a value) one byte, for names that are not UTF-8
 * FAKE_NVML_LOG names a file that gets the name of every call.
 *
 * Built twice: with -DOLD the library has none of the versioned symbols (_v2, _v3) and no EventReasons, as a
 * driver older than the binding.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int ret;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, BAD_VERSION = 25 };
enum { MAX_LINES = 4096, MAX_DEVICES = 64, MAX_MIG = 8 };

typedef struct { char who[16]; int index; } thing;
typedef struct { u64 total, free, used; } memory_v1;
typedef struct { u32 version; u64 total, reserved, free, used; } memory_v2;
typedef struct { char legacy[16]; u32 domain, bus, device, id, subsystem; char bus_id[32]; } pci_v3;
typedef struct { char bus_id[16]; u32 domain, bus, device, id, subsystem, reserved[4]; } pci_v2;
typedef struct { u32 pid; u64 memory; } process_v1;
typedef struct { u32 pid; u64 memory; u32 gpu_instance, compute_instance; } process_v2;
typedef struct { u32 gpu, memory; } utilization;
typedef struct { u32 sms, copy, dec, enc, jpeg, ofa, gpu_slices, compute_slices; u64 memory_mb; } attributes;

_Static_assert(sizeof(memory_v2) == 40, "nvmlMemory_v2_t: its size is in the version word 0x02000028");
_Static_assert(sizeof(pci_v3) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(process_v2) == 24, "nvmlProcessInfo_v2_t");

static char *keys[MAX_LINES], *values[MAX_LINES];
static int lines = -1;
static thing devices[MAX_DEVICES], instances[MAX_DEVICES][MAX_MIG];

static void unescape(char *text) {
  char *to = text;
  for (char *from = text; *from;) {
    if (from[0] == '\\' && from[1] == 'x') {
      char digits[3] = {from[2], from[3], 0};
      *to++ = (char)strtol(digits, NULL, 16);
      from += 4;
    } else {
      *to++ = *from++;
    }
  }
  *to = 0;
}

static void load(void) {
  static char line[65536];
  if (lines >= 0) return;
  lines = 0;
  for (int d = 0; d < MAX_DEVICES; d++) {
    snprintf(devices[d].who, sizeof devices[d].who, "%d", d);
    devices[d].index = d;
    for (int m = 0; m < MAX_MIG; m++) snprintf(instances[d][m].who, sizeof instances[d][m].who, "%dm%d", d, m);
  }
  const char *path = getenv("FAKE_NVML");
  FILE *file = path ? fopen(path, "r") : NULL;
  while (file && lines < MAX_LINES && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    char *space = strchr(line, ' ');
    if (line[0] == '#' || !space) continue;
    *space = 0;
    keys[lines] = strdup(line);
    values[lines] = strdup(space + 1);
    unescape(values[lines++]);
  }
  if (file) fclose(file);
}

static const char *line_of(const char *who, const char *what) {
  char key[128];
  load();
  snprintf(key, sizeof key, "%s.%s", who, what);
  for (int i = 0; i < lines; i++)
    if (!strcmp(keys[i], key)) return values[i];
  return NULL;
}

static void note(const char *what) {
  const char *path = getenv("FAKE_NVML_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file) return;
  fprintf(file, "%s\n", what);
  fclose(file);
}

/* The value of WHO.WHAT, or a return code. */
static ret find(const char *who, const char *what, const char **out) {
  const char *value = line_of(who, what);
  note(what);
  if (!value && strcmp(who, "sys") && !strchr(who, 'm')) value = line_of("*", what);
  if (!value) return UNSUPPORTED;
  if (!strcmp(value, "@SEGV")) raise(SIGSEGV);
  if (*value == '~') {
    sleep((u32)atoi(value + 1));
    return 999;
  }
  if (*value == '!') return atoi(value + 1);
  *out = value;
  return OK;
}

static ret text(const char *who, const char *what, char *out, u32 size) {
  const char *value;
  ret code = find(who, what, &value);
  if (code) return code;
  if (strlen(value) >= size) {
    memcpy(out, value, size - 1);
    out[size - 1] = 0;
  } else {
    strcpy(out, value);
  }
  return OK;
}

static ret numbers(const char *who, const char *what, int count, u64 *out) {
  const char *value;
  ret code = find(who, what, &value);
  if (code) return code;
  for (int i = 0; i < count; i++) {
    char *end;
    out[i] = strtoull(value, &end, 0);
    if (end == value) out[i] = 0;
    value = end;
  }
  return OK;
}

static ret number32(const char *who, const char *what, u32 *out) {
  u64 value;
  ret code = numbers(who, what, 1, &value);
  if (!code) *out = (u32)value;
  return code;
}

static ret number64(const char *who, const char *what, u64 *out) { return numbers(who, what, 1, out); }

static ret pair32(const char *who, const char *what, u32 *a, u32 *b) {
  u64 two[2];
  ret code = numbers(who, what, 2, two);
  if (code) return code;
  *a = (u32)two[0];
  *b = (u32)two[1];
  return OK;
}

/* "0000:9d:00.0 10de:2335" */
static ret address(const char *who, const char *what, u32 *domain, u32 *bus, u32 *device, u32 *id) {
  const char *value;
  u32 vendor, product;
  ret code = find(who, what, &value);
  if (code) return code;
  if (sscanf(value, "%x:%x:%x.0 %x:%x", domain, bus, device, &vendor, &product) != 5) return INVALID;
  *id = product << 16 | vendor;
  return OK;
}

#define WHO(H) (((thing *)(H))->who)
#define NUMBER(F, WHAT) ret F(void *h, u32 *out) { return number32(WHO(h), WHAT, out); }
#define NUMBER64(F, WHAT) ret F(void *h, u64 *out) { return number64(WHO(h), WHAT, out); }
#define TEXT(F, WHAT) ret F(void *h, char *out, u32 size) { return text(WHO(h), WHAT, out, size); }
#define PAIR(F, WHAT) ret F(void *h, u32 *a, u32 *b) { return pair32(WHO(h), WHAT, a, b); }

/* --- system --- */

static ret init(void) {
  const char *value;
  ret code = find("sys", "init", &value);
  return code == UNSUPPORTED ? OK : code;
}
#ifdef OLD
ret nvmlInit(void) { return init(); }
#else
ret nvmlInitWithFlags(u32 flags) { return (void)flags, init(); }
ret nvmlInit_v2(void) { return init(); }
#endif
ret nvmlShutdown(void) {
  const char *value;
  ret code = find("sys", "shutdown", &value);
  return code == UNSUPPORTED ? OK : code;
}
ret nvmlSystemGetDriverVersion(char *out, u32 size) { return text("sys", "driver", out, size); }
ret nvmlSystemGetNVMLVersion(char *out, u32 size) { return text("sys", "nvml", out, size); }
ret nvmlSystemGetCudaDriverVersion(int *out) { return number32("sys", "cuda", (u32 *)out); }
ret nvmlSystemGetProcessName(u32 pid, char *out, u32 size) {
  char what[32];
  snprintf(what, sizeof what, "process%u", pid);
  return text("sys", what, out, size);
}
static ret count(u32 *out) { return number32("sys", "count", out); }
static ret handle(u32 index, void **out) {
  const char *value;
  if (index >= MAX_DEVICES) return INVALID;
  load();
  ret code = find(devices[index].who, "handle", &value);
  if (code && code != UNSUPPORTED) return code;
  *out = &devices[index];
  return OK;
}
ret nvmlDeviceGetHandleByUUID(const char *uuid, void **out) {
  char own[96];
  load();
  for (int d = 0; d < MAX_DEVICES; d++)
    if (!text(devices[d].who, "uuid", own, sizeof own) && !strcmp(own, uuid)) return *out = &devices[d], OK;
  return NOT_FOUND;
}
#ifdef OLD
ret nvmlDeviceGetCount(u32 *out) { return count(out); }
ret nvmlDeviceGetHandleByIndex(u32 index, void **out) { return handle(index, out); }
#else
ret nvmlSystemGetCudaDriverVersion_v2(int *out) { return number32("sys", "cuda", (u32 *)out); }
ret nvmlDeviceGetCount_v2(u32 *out) { return count(out); }
ret nvmlDeviceGetHandleByIndex_v2(u32 index, void **out) { return handle(index, out); }
#endif

/* --- one device --- */

TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetSerial, "serial")
NUMBER(nvmlDeviceGetArchitecture, "architecture")
NUMBER(nvmlDeviceGetNumGpuCores, "cores")
NUMBER(nvmlDeviceGetPowerUsage, "power")
NUMBER(nvmlDeviceGetPowerManagementLimit, "power_limit_set")
NUMBER(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, "power_default")
NUMBER(nvmlDeviceGetGpuMaxPcieLinkGeneration, "pcie_gen_card")
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_gen_max")
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, "pcie_width_max")
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_gen")
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, "pcie_width")
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, "retired_pending")
NUMBER(nvmlDeviceGetMaxMigDeviceCount, "mig_count")
NUMBER64(nvmlDeviceGetVirtualizationMode, "virtual")
NUMBER64(nvmlDeviceGetCurrentClocksThrottleReasons, "throttle")
PAIR(nvmlDeviceGetCudaComputeCapability, "capability")
PAIR(nvmlDeviceGetPowerManagementLimitConstraints, "power_range")
PAIR(nvmlDeviceGetEccMode, "ecc")
PAIR(nvmlDeviceGetMigMode, "mig")
ret nvmlDeviceGetUtilizationRates(void *h, utilization *out) {
  return pair32(WHO(h), "utilization", &out->gpu, &out->memory);
}
ret nvmlDeviceGetTemperature(void *h, u32 sensor, u32 *out) {
  return (void)sensor, number32(WHO(h), "temperature", out);
}
static const char *clock_name(u32 kind) { return kind == 1 ? "sm" : kind == 2 ? "mem" : "other"; }
ret nvmlDeviceGetClockInfo(void *h, u32 kind, u32 *out) {
  char what[32];
  snprintf(what, sizeof what, "clock_%s", clock_name(kind));
  return number32(WHO(h), what, out);
}
ret nvmlDeviceGetMaxClockInfo(void *h, u32 kind, u32 *out) {
  char what[32];
  snprintf(what, sizeof what, "clock_%s_max", clock_name(kind));
  return number32(WHO(h), what, out);
}
ret nvmlDeviceGetTotalEccErrors(void *h, u32 type, u32 counter, u64 *out) {
  return (void)counter, number64(WHO(h), type == 1 ? "ecc_uncorrected" : "ecc_corrected", out);
}
ret nvmlDeviceGetRemappedRows(void *h, u32 *corrected, u32 *uncorrected, u32 *pending, u32 *failed) {
  u64 four[4];
  ret code = numbers(WHO(h), "remap", 4, four);
  if (code) return code;
  *corrected = (u32)four[0], *uncorrected = (u32)four[1], *pending = (u32)four[2], *failed = (u32)four[3];
  return OK;
}
ret nvmlDeviceGetMemoryInfo(void *h, memory_v1 *out) {
  u64 three[3];
  ret code = numbers(WHO(h), "memory", 3, three);
  if (code) return code;
  out->total = three[0], out->free = three[1], out->used = three[2];
  return OK;
}
static ret pci(void *h, u32 *domain, u32 *bus, u32 *device, u32 *id) {
  return address(WHO(h), "pci", domain, bus, device, id);
}
#ifdef OLD
ret nvmlDeviceGetPciInfo(void *h, pci_v2 *out) {
  memset(out, 0, sizeof *out);
  return pci(h, &out->domain, &out->bus, &out->device, &out->id);
}
ret nvmlDeviceGetComputeRunningProcesses(void *h, u32 *size, process_v1 *out) {
  const char *value;
  ret code = find(WHO(h), "processes", &value);
  if (code) return code;
  u32 found = 0, pid;
  long long memory;
  int used;
  for (; sscanf(value, "%u:%lld%n", &pid, &memory, &used) == 2; value += used, found++)
    if (found < *size) out[found] = (process_v1){pid, (u64)memory};
  code = found > *size ? TOO_SMALL : OK;
  *size = found;
  return code;
}
#else
NUMBER64(nvmlDeviceGetCurrentClocksEventReasons, "throttle")
ret nvmlDeviceGetMemoryInfo_v2(void *h, memory_v2 *out) {
  u64 three[3];
  if (out->version != 0x02000028) return BAD_VERSION;
  ret code = numbers(WHO(h), line_of(WHO(h), "memory_v2") ? "memory_v2" : "memory", 3, three);
  if (code) return code;
  out->total = three[0], out->free = three[1], out->used = three[2], out->reserved = 0;
  return OK;
}
ret nvmlDeviceGetPciInfo_v3(void *h, pci_v3 *out) {
  memset(out, 0, sizeof *out);
  return pci(h, &out->domain, &out->bus, &out->device, &out->id);
}
/* "1234:1073741824 self:5" : pid, bytes; -1 bytes: not told */
ret nvmlDeviceGetComputeRunningProcesses_v3(void *h, u32 *size, process_v2 *out) {
  const char *value;
  char copy[4096];
  ret code = find(WHO(h), "processes", &value);
  if (code) return code;
  snprintf(copy, sizeof copy, "%s", value);
  u32 found = 0;
  for (char *part = strtok(copy, " "); part; part = strtok(NULL, " ")) {
    char *colon = strchr(part, ':');
    if (!colon) continue; /* "none" */
    u32 pid = !strncmp(part, "self", 4) ? (u32)getpid() : (u32)atoi(part);
    if (out && found < *size) out[found] = (process_v2){pid, (u64)atoll(colon + 1), ~0u, ~0u};
    found++;
  }
  code = found > *size ? TOO_SMALL : OK;
  *size = found;
  return code;
}
#endif

/* --- MIG --- */

ret nvmlDeviceGetMigDeviceHandleByIndex(void *h, u32 index, void **out) {
  const char *value;
  thing *parent = h;
  if (index >= MAX_MIG) return INVALID;
  ret code = find(instances[parent->index][index].who, "handle", &value);
  if (code) return code == UNSUPPORTED ? NOT_FOUND : code;
  *out = &instances[parent->index][index];
  return OK;
}
#ifndef OLD
ret nvmlDeviceGetAttributes_v2(void *h, attributes *out) {
  u64 four[4];
  ret code = numbers(WHO(h), "attributes", 4, four); /* SMs, GPU slices, compute slices, MB */
  if (code) return code;
  memset(out, 0, sizeof *out);
  out->sms = (u32)four[0], out->gpu_slices = (u32)four[1], out->compute_slices = (u32)four[2];
  out->memory_mb = four[3];
  return OK;
}
#endif

/* --- links: "0.link3.state 1", "0.link3.remote 0000:9d:00.0 10de:2335"; "0.p2p1 0", "0.ancestor1 30" --- */

static ret link32(void *h, u32 link, const char *what, u32 *out) {
  char key[48];
  snprintf(key, sizeof key, "link%u.%s", link, what);
  return number32(WHO(h), key, out);
}
ret nvmlDeviceGetNvLinkState(void *h, u32 link, u32 *out) { return link32(h, link, "state", out); }
ret nvmlDeviceGetNvLinkVersion(void *h, u32 link, u32 *out) { return link32(h, link, "version", out); }
ret nvmlDeviceGetNvLinkRemoteDeviceType(void *h, u32 link, u32 *out) { return link32(h, link, "kind", out); }
#ifndef OLD
ret nvmlDeviceGetNvLinkRemotePciInfo_v2(void *h, u32 link, pci_v3 *out) {
  char key[48];
  snprintf(key, sizeof key, "link%u.remote", link);
  memset(out, 0, sizeof *out);
  return address(WHO(h), key, &out->domain, &out->bus, &out->device, &out->id);
}
#endif
ret nvmlDeviceGetTopologyCommonAncestor(void *a, void *b, u32 *out) {
  char key[48];
  snprintf(key, sizeof key, "ancestor%d", ((thing *)b)->index);
  return number32(WHO(a), key, out);
}
ret nvmlDeviceGetP2PStatus(void *a, void *b, u32 kind, u32 *out) {
  char key[48];
  snprintf(key, sizeof key, "p2p%d", ((thing *)b)->index);
  return (void)kind, number32(WHO(a), key, out);
}
