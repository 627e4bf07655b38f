/* A stand-in for libnvidia-ml.so.1, so that the recorder is tested without a GPU.
 *
 * Each GPU follows a power trace (a step function in milliwatts); its energy counter is the trace's exact integral,
 * brought up to date every 100 ms as on real boards. The average power field is the mean of the last second, the
 * instant one the trace itself. Layouts and numbers are those of nvml.h (CUDA 13.1), checked below.
 *
 * Configuration: the text file $NVML_STUB_CONFIG, or nvmlStubConfigure(path) in the same process; see `apply_line`.
 * Time: CLOCK_MONOTONIC since initialisation, or nvmlStubSetTime(seconds) for a simulated clock.
 * -DNVML_STUB_OLD_DRIVER leaves out what drivers before 525 lack.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int nvmlReturn_t;
enum { OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9 };

typedef struct { unsigned gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef union { double d; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; } nvmlValue_t;
typedef struct {
    unsigned fieldId, scopeId;
    long long timestamp, latencyUsec;
    unsigned valueType;
    nvmlReturn_t nvmlReturn;
    nvmlValue_t value;
} nvmlFieldValue_t;
typedef struct {
    char busIdLegacy[16];
    unsigned domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;
typedef struct {
    unsigned multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount, sharedJpegCount,
        sharedOfaCount, gpuInstanceSliceCount, computeInstanceSliceCount;
    unsigned long long memorySizeMB;
} nvmlDeviceAttributes_t;
typedef struct {
    unsigned version, id, isP2pSupported, sliceCount, instanceCount, multiprocessorCount, copyEngineCount, decoderCount,
        encoderCount, jpegCount, ofaCount;
    unsigned long long memorySizeMB;
    char name[96];
} nvmlGpuInstanceProfileInfo_v2_t;
_Static_assert(sizeof(nvmlFieldValue_t) == 40 && offsetof(nvmlFieldValue_t, value) == 32, "field value layout");
_Static_assert(sizeof(nvmlPciInfo_t) == 68 && offsetof(nvmlPciInfo_t, busId) == 36, "PCI info layout");
_Static_assert(sizeof(nvmlDeviceAttributes_t) == 40, "device attributes layout");
_Static_assert(sizeof(nvmlGpuInstanceProfileInfo_v2_t) == 152, "profile info layout");

#define MAX_GPUS 16
#define MAX_MIGS 7
#define MAX_TRACE 4096
#define MAX_FAULTS 64
#define MAX_RESETS 8

struct step { double at_s; long long milliwatts; unsigned util; };
struct mig { char uuid[80]; unsigned gpu_instance, compute_instance, slices; struct gpu *parent; };
struct gpu {
    char name[96], uuid[80], bus[32];
    int mig_mode, migs, steps, resets, scope; /* scope: 0 GPU, 1 module */
    struct mig mig[MAX_MIGS];
    struct step trace[MAX_TRACE];
    double reset_s[MAX_RESETS];
    unsigned long long offset_mj;
};
struct fault { char call[64]; int gpu, code; double from_s, until_s; };

static struct gpu gpus[MAX_GPUS];
static struct fault faults[MAX_FAULTS];
static int gpu_count, fault_count, initialised;
static double driver_off_from = -1, driver_off_until = -1, started, fixed_time = -1, clock_scale = 1;
static char driver_version[80], hang_call[64];
static double hang_from;
static long call_count;

static double machine_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(void) { return fixed_time >= 0 ? fixed_time : (machine_time() - started) * clock_scale; }

/* One line of configuration: a word and its values. A GPU is its number, or * for all. */
static void apply_line(char *line) {
    char word[32], who[16], text[256];
    double a;
    long long n;
    int code, used = 0;
    unsigned u, v, w;
    if (sscanf(line, "%31s%n", word, &used) != 1 || word[0] == '#') return;
    char *rest = line + used;
    if (!strcmp(word, "gpus") && sscanf(rest, "%lld", &n) == 1) {
        gpu_count = (int)n;
        return;
    }
    if (!strcmp(word, "driver")) {
        sscanf(rest, "%79s", driver_version);
        return;
    }
    if (!strcmp(word, "hang") && sscanf(rest, "%63s %lf", hang_call, &hang_from) == 2) return; /* hang CALL FROM */
    if (!strcmp(word, "driver_off") && sscanf(rest, "%lf %lf", &driver_off_from, &driver_off_until) == 2) return;
    if (!strcmp(word, "fail") && fault_count < MAX_FAULTS) { /* fail CALL GPU CODE FROM UNTIL */
        struct fault *f = &faults[fault_count];
        if (sscanf(rest, "%63s %15s %d %lf %lf", f->call, who, &f->code, &f->from_s, &f->until_s) == 5) {
            f->gpu = who[0] == '*' ? -1 : atoi(who);
            fault_count++;
        }
        return;
    }
    if (sscanf(rest, "%15s%n", who, &used) != 1) return;
    rest += used;
    for (int i = 0; i < MAX_GPUS; i++) {
        struct gpu *g = &gpus[i];
        if (who[0] != '*' && atoi(who) != i) continue;
        if (!strcmp(word, "name") && sscanf(rest, " %95[^\n]", text) == 1) strcpy(g->name, text);
        else if (!strcmp(word, "uuid") && sscanf(rest, " %79s", text) == 1) strcpy(g->uuid, text);
        else if (!strcmp(word, "bus") && sscanf(rest, " %31s", text) == 1) strcpy(g->bus, text);
        else if (!strcmp(word, "reset") && sscanf(rest, "%lf", &a) == 1 && g->resets < MAX_RESETS) g->reset_s[g->resets++] = a;
        else if (!strcmp(word, "counter") && sscanf(rest, "%lld", &n) == 1) g->offset_mj = (unsigned long long)n;
        else if (!strcmp(word, "scope") && sscanf(rest, "%d", &code) == 1) g->scope = code;
        else if (!strcmp(word, "trace") && sscanf(rest, "%lf %lld %d", &a, &n, &code) == 3 && g->steps < MAX_TRACE)
            g->trace[g->steps++] = (struct step){a, n, (unsigned)code};
        else if (!strcmp(word, "mig") && sscanf(rest, " %79s %u %u %u", text, &u, &v, &w) == 4 && g->migs < MAX_MIGS) {
            struct mig *m = &g->mig[g->migs++];
            strcpy(m->uuid, text);
            m->gpu_instance = u, m->compute_instance = v, m->slices = w, m->parent = g, g->mig_mode = 1;
        }
    }
}

void nvmlStubConfigure(const char *path) {
    char line[512];
    memset(gpus, 0, sizeof gpus);
    gpu_count = 1, fault_count = 0, hang_call[0] = 0, driver_off_from = driver_off_until = -1, fixed_time = -1, started = machine_time();
    strcpy(driver_version, "580.95.05");
    for (int i = 0; i < MAX_GPUS; i++) {
        snprintf(gpus[i].name, sizeof gpus[i].name, "NVIDIA H100 80GB HBM3");
        snprintf(gpus[i].uuid, sizeof gpus[i].uuid, "GPU-%08x-1111-2222-3333-444444444444", (unsigned)i);
        snprintf(gpus[i].bus, sizeof gpus[i].bus, "00000000:%02X:00.0", (unsigned)(i + 1) * 8);
    }
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return;
    while (fgets(line, sizeof line, file)) apply_line(line);
    fclose(file);
}

void nvmlStubSetTime(double seconds) { fixed_time = seconds; }
long nvmlStubCalls(void) { return call_count; }

/* ∫ P dt from the start to t, in mJ; the trace before its first step is 0 W. */
double nvmlStubIntegral(int index, double t) {
    struct gpu *g = &gpus[index];
    double sum = 0;
    for (int i = 0; i < g->steps && g->trace[i].at_s < t; i++) {
        double end = i + 1 < g->steps && g->trace[i + 1].at_s < t ? g->trace[i + 1].at_s : t;
        sum += (double)g->trace[i].milliwatts * (end - g->trace[i].at_s);
    }
    return sum;
}

static struct step *step_at(struct gpu *g, double t) {
    struct step *found = &g->trace[0];
    for (int i = 0; i < g->steps && g->trace[i].at_s <= t; i++) found = &g->trace[i];
    return found;
}

static unsigned long long counter(struct gpu *g, double t) {
    double stepped = (double)(long long)(t * 10 + 1e-9) / 10, since = 0;
    for (int i = 0; i < g->resets; i++)
        if (g->reset_s[i] <= stepped && g->reset_s[i] > since) since = g->reset_s[i];
    int index = (int)(g - gpus);
    double mj = nvmlStubIntegral(index, stepped) - nvmlStubIntegral(index, since);
    return (unsigned long long)(mj + 0.5) + (since > 0 ? 0 : g->offset_mj);
}

static long long average(struct gpu *g, double t) {
    double from = t > 1 ? t - 1 : 0;
    int index = (int)(g - gpus);
    if (t <= from) return step_at(g, t)->milliwatts;
    return (long long)((nvmlStubIntegral(index, t) - nvmlStubIntegral(index, from)) / (t - from) + 0.5);
}

static nvmlReturn_t check(const char *call, struct gpu *g) {
    double t = now();
    call_count++;
    if (hang_call[0] && !strcmp(hang_call, call) && t >= hang_from) sleep(3600);
    if (!initialised) return UNINITIALIZED;
    if (driver_off_from >= 0 && t >= driver_off_from && t < driver_off_until) return DRIVER_NOT_LOADED;
    if (g && (g < gpus || g >= gpus + gpu_count)) return INVALID_ARGUMENT;
    for (int i = 0; i < fault_count; i++) {
        struct fault *f = &faults[i];
        if ((!strcmp(f->call, call) || f->call[0] == '*') && (f->gpu < 0 || !g || f->gpu == (int)(g - gpus)) &&
            t >= f->from_s && t < f->until_s)
            return f->code;
    }
    return OK;
}

#define ENTER(g)                                  \
    do {                                          \
        nvmlReturn_t code_ = check(__func__, g);  \
        if (code_) return code_;                  \
    } while (0)

static struct mig *as_mig(void *handle) {
    for (int i = 0; i < gpu_count; i++)
        for (int j = 0; j < gpus[i].migs; j++)
            if (handle == &gpus[i].mig[j]) return &gpus[i].mig[j];
    return NULL;
}

nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (!driver_version[0]) {
        nvmlStubConfigure(getenv("NVML_STUB_CONFIG"));
        if (getenv("NVML_STUB_SCALE")) clock_scale = atof(getenv("NVML_STUB_SCALE"));
    }
    initialised++;
    nvmlReturn_t code = check(__func__, NULL);
    if (code) initialised--;
    return code;
}
nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
nvmlReturn_t nvmlShutdown(void) {
    if (initialised <= 0) return UNINITIALIZED;
    initialised--;
    return OK;
}
const char *nvmlErrorString(nvmlReturn_t code) {
    return code == 15 ? "GPU is lost" : code == 9 ? "Driver Not Loaded" : code == 999 ? "Unknown Error" : "stub error";
}
nvmlReturn_t nvmlSystemGetDriverVersion(char *out, unsigned size) {
    ENTER(NULL);
    snprintf(out, size, "%s", driver_version);
    return OK;
}
nvmlReturn_t nvmlSystemGetNVMLVersion(char *out, unsigned size) {
    ENTER(NULL);
    snprintf(out, size, "13.%s", driver_version);
    return OK;
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *out) {
    ENTER(NULL);
    *out = 13000;
    return OK;
}
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *out) {
    ENTER(NULL);
    *out = (unsigned)gpu_count;
    return OK;
}
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
    if (index >= (unsigned)gpu_count) return INVALID_ARGUMENT;
    ENTER(&gpus[index]);
    *out = &gpus[index];
    return OK;
}
nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, void **out) {
    ENTER(NULL);
    for (int i = 0; i < gpu_count; i++)
        if (!strcmp(gpus[i].uuid, uuid)) return *out = &gpus[i], OK;
    return NOT_FOUND;
}
nvmlReturn_t nvmlDeviceGetIndex(struct gpu *g, unsigned *out) {
    ENTER(g);
    *out = (unsigned)(g - gpus);
    return OK;
}
nvmlReturn_t nvmlDeviceGetName(struct gpu *g, char *out, unsigned size) {
    ENTER(g);
    snprintf(out, size, "%s", g->name);
    return OK;
}
nvmlReturn_t nvmlDeviceGetUUID(void *handle, char *out, unsigned size) {
    struct mig *m = as_mig(handle);
    ENTER(m ? m->parent : (struct gpu *)handle);
    snprintf(out, size, "%s", m ? m->uuid : ((struct gpu *)handle)->uuid);
    return OK;
}
nvmlReturn_t nvmlDeviceGetPciInfo_v3(struct gpu *g, nvmlPciInfo_t *out) {
    ENTER(g);
    memset(out, 0, sizeof *out);
    snprintf(out->busId, sizeof out->busId, "%s", g->bus);
    return OK;
}
nvmlReturn_t nvmlDeviceGetPowerUsage(struct gpu *g, unsigned *out) {
    ENTER(g);
    *out = (unsigned)average(g, now());
    return OK;
}
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(struct gpu *g, unsigned long long *out) {
    ENTER(g);
    *out = counter(g, now());
    return OK;
}
nvmlReturn_t nvmlDeviceGetUtilizationRates(struct gpu *g, nvmlUtilization_t *out) {
    ENTER(g);
    if (g->mig_mode) return NOT_SUPPORTED;
    *out = (nvmlUtilization_t){step_at(g, now())->util, 10};
    return OK;
}
nvmlReturn_t nvmlDeviceGetMemoryInfo(struct gpu *g, nvmlMemory_t *out) {
    ENTER(g);
    *out = (nvmlMemory_t){81559ULL << 20, 41559ULL << 20, 40000ULL << 20};
    return OK;
}
nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(struct gpu *g, unsigned *out) {
    ENTER(g);
    *out = 700000;
    return OK;
}
nvmlReturn_t nvmlDeviceGetPowerManagementLimit(struct gpu *g, unsigned *out) {
    ENTER(g);
    *out = 700000;
    return OK;
}
nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(struct gpu *g, unsigned *low, unsigned *high) {
    ENTER(g);
    *low = 200000, *high = 700000;
    return OK;
}
nvmlReturn_t nvmlDeviceGetTemperature(struct gpu *g, int sensor, unsigned *out) {
    (void)sensor;
    ENTER(g);
    *out = 40 + (unsigned)(average(g, now()) / 20000);
    return OK;
}
nvmlReturn_t nvmlDeviceGetClockInfo(struct gpu *g, int kind, unsigned *out) {
    ENTER(g);
    *out = kind == 2 ? 2619 : 1980 - 15 * (unsigned)(average(g, now()) / 100000);
    return OK;
}
nvmlReturn_t nvmlDeviceGetPerformanceState(struct gpu *g, int *out) {
    ENTER(g);
    *out = 0;
    return OK;
}
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(struct gpu *g, unsigned *count, void *out) {
    (void)out;
    ENTER(g);
    *count = 0;
    return OK;
}
nvmlReturn_t nvmlDeviceGetMigMode(struct gpu *g, unsigned *current, unsigned *pending) {
    ENTER(g);
    *current = *pending = (unsigned)g->mig_mode;
    return OK;
}
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(struct gpu *g, unsigned *out) {
    ENTER(g);
    *out = MAX_MIGS;
    return OK;
}
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(struct gpu *g, unsigned index, void **out) {
    ENTER(g);
    if (index >= (unsigned)g->migs) return NOT_FOUND;
    *out = &g->mig[index];
    return OK;
}
nvmlReturn_t nvmlDeviceIsMigDeviceHandle(void *handle, unsigned *out) {
    *out = as_mig(handle) != NULL;
    return OK;
}
nvmlReturn_t nvmlDeviceGetGpuInstanceId(void *handle, unsigned *out) {
    struct mig *m = as_mig(handle);
    if (!m) return INVALID_ARGUMENT;
    *out = m->gpu_instance;
    return OK;
}
nvmlReturn_t nvmlDeviceGetComputeInstanceId(void *handle, unsigned *out) {
    struct mig *m = as_mig(handle);
    if (!m) return INVALID_ARGUMENT;
    *out = m->compute_instance;
    return OK;
}
nvmlReturn_t nvmlDeviceGetAttributes_v2(void *handle, nvmlDeviceAttributes_t *out) {
    struct mig *m = as_mig(handle);
    if (!m) return NOT_SUPPORTED;
    memset(out, 0, sizeof *out);
    out->gpuInstanceSliceCount = out->computeInstanceSliceCount = m->slices;
    return OK;
}
nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(struct gpu *g, unsigned profile, nvmlGpuInstanceProfileInfo_v2_t *out) {
    ENTER(g);
    if (!g->mig_mode || profile != 4) return NOT_SUPPORTED;
    out->sliceCount = 7;
    return OK;
}

#ifndef NVML_STUB_OLD_DRIVER
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(struct gpu *g, unsigned long long *out) {
    ENTER(g);
    *out = average(g, now()) > 690000 ? 4 : 0; /* software power cap */
    return OK;
}
nvmlReturn_t nvmlDeviceGetFieldValues(struct gpu *g, int count, nvmlFieldValue_t *values) {
    ENTER(g);
    for (int i = 0; i < count; i++) {
        nvmlFieldValue_t *v = &values[i];
        char name[32];
        snprintf(name, sizeof name, "field.%u.%u", v->fieldId, v->scopeId);
        v->nvmlReturn = check(name, g);
        if (v->nvmlReturn) continue;
        if (v->fieldId == 83) v->valueType = 3, v->value.ull = counter(g, now());
        else if (v->fieldId == 185 && v->scopeId == (unsigned)g->scope) v->valueType = 1, v->value.ui = (unsigned)average(g, now());
        else if (v->fieldId == 186 && v->scopeId == (unsigned)g->scope) v->valueType = 1, v->value.ui = (unsigned)step_at(g, now())->milliwatts;
        else v->nvmlReturn = NOT_SUPPORTED;
    }
    return OK;
}
#endif
nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(struct gpu *g, unsigned long long *out) {
    ENTER(g);
    *out = average(g, now()) > 690000 ? 4 : 0;
    return OK;
}
