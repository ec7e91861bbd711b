// SPDX-License-Identifier: Apache-2.0
/* What compiled code exports and what it expects of whoever runs it. Standalone: the compiler and
 * the runtime share this header and nothing else above runtime/base.
 *
 * A program is tables of facts and a few functions. It allocates nothing, opens nothing and keeps
 * no state: memory, weights and threads come from the runtime through retort_context. Its only
 * undefined symbols are memcpy and memset, and cblas_sgemm where it was compiled without products
 * of its own (--without emit-products).
 *
 * One symbol is exported: retort_program_query(max_version) returns the program, or NULL where the
 * program needs a newer reader than `max_version`. Fields are only appended, and RETORT_ABI_VERSION
 * is raised when they are; RETORT_ABI_OLDEST too where that moves the elements of an array. Strings
 * are NUL-terminated UTF-8 and live as long as the program. */
#ifndef RETORT_RUNTIME_ABI_H
#define RETORT_RUNTIME_ABI_H

#include <stdint.h>

enum { RETORT_ABI_VERSION = 2, RETORT_ABI_OLDEST = 2, RETORT_MAX_RANK = 8 };

/* ---- sizes: polynomials in the symbols (B, T, S …); see ir/dim.h */

typedef struct retort_term {
    int64_t coefficient;
    uint32_t symbol_count;
    const uint32_t *symbols; /* a power repeats its symbol */
} retort_term;

typedef struct retort_size {
    uint32_t term_count; /* 0: the constant 0 */
    const retort_term *terms;
} retort_size;

typedef struct retort_shape {
    uint32_t dtype; /* rt_dtype */
    uint32_t rank;
    retort_size dims[RETORT_MAX_RANK];
} retort_shape;

/* ---- weights and state */

typedef enum retort_parameter_kind {
    RETORT_WEIGHT = 0,
    RETORT_GRADIENT = 1,
    RETORT_STATE = 2,
    RETORT_DERIVED = 3 /* assigned by entries called "prepare"; never saved */
} retort_parameter_kind;

typedef enum retort_initial {
    RETORT_INITIAL_ZEROS = 0,
    RETORT_INITIAL_CONSTANT = 1,
    RETORT_INITIAL_NORMAL = 2,
    RETORT_INITIAL_UNIFORM = 3,
    RETORT_INITIAL_SOURCE = 4
} retort_initial;

typedef enum retort_transform {
    RETORT_TRANSFORM_NONE = 0,
    RETORT_TRANSFORM_TRANSPOSE = 1, /* the file holds the transpose of a matrix */
    /* Packed integers, as runtime/base/transform.h says. */
    RETORT_TRANSFORM_HALVES = 2,
    RETORT_TRANSFORM_VARINTS = 3,
    RETORT_TRANSFORM_VARINT_HALVES = 4
} retort_transform;

typedef struct retort_parameter {
    const char *name;
    uint32_t dtype;
    uint32_t rank;
    int64_t dims[RETORT_MAX_RANK];
    uint32_t kind; /* retort_parameter_kind */
    uint32_t of;   /* of a gradient or state: index of its weight; else UINT32_MAX */
    uint32_t is_trainable;
    uint32_t initial; /* retort_initial */
    double initial_value;
    /* For RETORT_INITIAL_SOURCE. */
    uint32_t file; /* index into files */
    uint32_t source_dtype;
    uint32_t transform; /* retort_transform */
    uint64_t offset, size_bytes;
    uint64_t checksum;       /* rt_checksum of the bytes in the file */
    const void *embedded;    /* the bytes, where the program is self-contained; else NULL */
    const char *source_name; /* name of the tensor in the file, for messages */
} retort_parameter;

typedef struct retort_file {
    const char *path; /* as the spec gave it, made absolute */
} retort_file;

/* ---- entry points */

struct retort_context;

/* A kernel works on [begin, end) of its range; `worker` in [0, workers). `pointers` and `sizes` are
 * the kernel's own arguments, made by the entry point. */
typedef void (*retort_kernel)(const struct retort_context *context, void *const *pointers,
                              const int64_t *sizes, int64_t begin, int64_t end, uint32_t worker);

/* What an entry point is called with. Compiled code reads the fields by offset: append only. */
typedef struct retort_context {
    const int64_t *symbols;  /* value of each symbol */
    void *const *buffers;    /* of the entry point, by index into its buffers; 64-byte aligned */
    void *const *parameters; /* by index into the program's parameters; 64-byte aligned */
    void *scratch;           /* workers * scratch_stride bytes, 64-byte aligned */
    uint64_t scratch_stride; /* at least the entry's scratch_bytes */
    uint64_t seed;           /* of dropout */
    uint64_t step;           /* of dropout: counts micro-batches from 0 */
    uint32_t workers;
    uint32_t reserved;
    /* Runs kernel over [0, count), split in contiguous ranges whose inner borders are multiples of
     * `grain`, and returns when all is done. */
    void (*run)(const struct retort_context *context, retort_kernel kernel, void *const *pointers,
                const int64_t *sizes, int64_t count, int64_t grain);
    void *runner; /* for `run` */
    /* Called before and after each kernel call when not NULL: index into the entry's nodes. */
    void (*trace)(const struct retort_context *context, uint32_t node, uint32_t is_end);
    void *tracer; /* for `trace` */
} retort_context;

typedef enum retort_buffer_kind {
    RETORT_BUFFER_INPUT = 0,  /* filled by the caller before the call */
    RETORT_BUFFER_OUTPUT = 1, /* read by the caller after the call */
    RETORT_BUFFER_LOCAL = 2   /* between kernels; shares memory with others by lifetime */
} retort_buffer_kind;

typedef struct retort_buffer {
    const char *name; /* of inputs and outputs; else NULL */
    uint32_t kind;    /* retort_buffer_kind */
    uint32_t reserved;
    retort_shape shape;
    retort_size size_bytes;
    uint32_t first, last; /* steps of the schedule in which it lives; inputs and outputs: all */
} retort_buffer;

/* A call of a kernel, for profiles and traces. */
typedef struct retort_node {
    const char *name;   /* provenance: "bert.encoder.layer.0.attention", else the operator */
    const char *kernel; /* kind of kernel: "gemm", "row", … */
    retort_size flops;  /* multiply and add counted apart; 0 where not counted */
    retort_size bytes;  /* read and written */
} retort_node;

/* A weight that only preparing entries read: it is in memory from step `first` to step `last` of
 * the entry, and the same weight may be in another entry's list; nowhere else. */
typedef struct retort_passing_weight {
    uint32_t parameter, first, last;
} retort_passing_weight;

/* Bits. */
typedef enum retort_entry_flag {
    RETORT_ENTRY_ASSIGNS = 1, /* assigns weights */
    /* Prepares from weights that an entry assigns without what derives from them: it runs again
     * where its reader runs behind such an entry. */
    RETORT_ENTRY_FOLLOWS = 2
} retort_entry_flag;

/* The entries "prepare", and "prepare.NAME" for entry NAME, assign derived parameters. They run
 * before the entries that read these (with NAME, only entry NAME does), and again when weights were
 * changed by anything but an entry. They have neither inputs nor outputs nor symbols. */
typedef struct retort_entry {
    const char *name; /* "step", "update", "evaluate", "predict", … */
    void (*function)(const retort_context *context);
    uint32_t buffer_count, node_count;
    const retort_buffer *buffers; /* inputs in the graph's order, then outputs, then locals */
    const retort_node *nodes;
    retort_size scratch_bytes;     /* per worker */
    uint32_t passing_count, flags; /* bits of retort_entry_flag */
    const retort_passing_weight *passing;
} retort_entry;

typedef struct retort_program {
    uint32_t version; /* RETORT_ABI_VERSION it was made for */
    uint32_t symbol_count, parameter_count, file_count, entry_count, reserved;
    const char *name;
    const char *cpu; /* it was compiled for, and the features it needs, comma-separated */
    const char *features;
    const char *const *symbols; /* names */
    const retort_parameter *parameters;
    const retort_file *files;
    const retort_entry *entries;
    const char *settings; /* JSON: the training program's settings (runtime/settings.def) */
} retort_program;

const retort_program *retort_program_query(uint32_t max_version);

#if defined(__x86_64__) || defined(__aarch64__)
_Static_assert(sizeof(retort_size) == 16, "ABI");
_Static_assert(sizeof(retort_context) == 96, "ABI");
#endif

#endif
