// SPDX-License-Identifier: Apache-2.0
/* The schedule of a graph: which nodes share a kernel, in which order kernels run, where every
 * value lies. It changes cost, never the answer; the graph says what is computed.
 *
 *     rt_schedule schedule;
 *     RT_TRY(rt_schedule_create(graph, (rt_optimizations){0}, &arena, &schedule, error));
 *     puts(rt_schedule_text(&schedule, &arena));
 *
 * Four kinds of groups. A row group computes elementwise nodes and reductions along the last axis
 * over one space of rows and columns; flat, where nothing in it depends on rows, it is one long
 * row. A column group reduces over rows, with the elementwise nodes that feed it. A move group
 * copies by index arithmetic. A kernel group is one node with a kernel of its own. A row group may
 * reduce over its rows, too: see rt_member.reduces_rows. */
#ifndef RETORT_COMPILER_SCHEDULE_SCHEDULE_H
#define RETORT_COMPILER_SCHEDULE_SCHEDULE_H

#include "compiler/optimizations.h"
#include "compiler/schedule/access.h"

typedef enum rt_group_kind {
    RT_GROUP_ROW,
    RT_GROUP_COLUMN,
    RT_GROUP_MOVE,
    RT_GROUP_KERNEL
} rt_group_kind;

/* Why a value goes through memory between a row or column group that reads it and a row group that
 * makes it. */
typedef enum rt_boundary {
    RT_BOUNDARY_COST, /* several groups read it; making it again costs more than reading it */
    RT_BOUNDARY_LEFT_OUT,
    RT_BOUNDARY_LIMIT,
    RT_BOUNDARY_SHAPE,
    RT_BOUNDARY_PLACES,
    RT_BOUNDARY_ORDER,
    RT_BOUNDARY_ROWS,
    RT_BOUNDARY_WHOLE,
    RT_BOUNDARY_OUTPUT,
    RT_BOUNDARY_COUNT
} rt_boundary;

typedef struct rt_boundary_note {
    rt_value value;
    uint32_t reader; /* rt_group.id */
    rt_boundary why;
} rt_boundary_note;

enum {
    RT_MEMBER_MAX_OPERANDS = 3,
    RT_ROW_PARTS = 32 /* whatever the number of workers, so that it changes no bit */
};

/* A node in a row or column group. The same node may be a member of several groups: cheap ones are
 * computed again rather than stored. */
typedef struct rt_member {
    rt_node node;
    rt_op op;
    rt_value value;     /* its result */
    rt_access_kind map; /* which element of it belongs to (row, column): any kind but STRIDED */
    bool is_reduction;
    /* A reduction over the rows of a row group: each of RT_ROW_PARTS parts of the rows is reduced
     * for itself, and the parts are combined in order behind the loop. map is COLUMN. */
    bool reduces_rows;
    bool is_stored; /* written to memory by this group */
    unsigned operand_count;
    rt_access accesses[RT_MEMBER_MAX_OPERANDS]; /* in the group's space */
    /* Row groups pass over a row once per phase. FULL and COLUMN members and the operands of
     * reductions can be computed from this phase on; ROW members are known when it begins. */
    unsigned phase;
    uint32_t computed; /* bit p: computed in phase p; kept and stored in the first */
    uint32_t reloaded; /* bit p: read back in phase p, from its output or from scratch */
    int scratch_row;   /* of a value that is kept for later phases but not stored; else -1 */
} rt_member;

typedef struct rt_group {
    rt_group_kind kind;
    uint32_t id;  /* whatever the order; UINT32_MAX of copies behind the readers of a parameter */
    rt_node lead; /* names the group */
    bool is_flat; /* of a row group: rows is 1, and its columns may be split */
    rt_space space;
    /* Column groups reduce [outer, reduced, columns] over the middle; rows = outer * reduced. */
    rt_dim outer, reduced;
    bool accumulates;   /* a kernel group: adds to what is in the memory of its output */
    rt_member *members; /* operands first; one for move and kernel groups */
    size_t member_count;
    rt_value *inputs; /* roots that it reads from memory, each once; RT_NO_VALUE: left out */
    size_t input_count;
    rt_value *outputs; /* values that it writes */
    size_t output_count;
    unsigned phase_count;
    unsigned scratch_rows; /* rows of `columns` elements that a worker keeps */
    unsigned rider_count;  /* members with reduces_rows */
    /* Of a group with riders: the buffer of parts, [riders * RT_ROW_PARTS, columns]. */
    uint32_t parts_buffer;
} rt_group;

typedef enum rt_storage_kind {
    RT_STORAGE_NONE, /* never in memory */
    RT_STORAGE_BUFFER,
    RT_STORAGE_PARAMETER,
    RT_STORAGE_CONSTANT /* index: the value of the constant node */
} rt_storage_kind;

typedef struct rt_storage {
    rt_storage_kind kind;
    uint32_t index;
} rt_storage;

typedef enum rt_buffer_kind { RT_BUFFER_INPUT, RT_BUFFER_OUTPUT, RT_BUFFER_LOCAL } rt_buffer_kind;

typedef struct rt_buffer {
    rt_buffer_kind kind;
    const char *name; /* of inputs and outputs */
    rt_type type;     /* as declared; of a local buffer, of the first value in it */
    rt_dim bytes;
    uint32_t first, last; /* groups, in order; inputs and outputs live throughout */
} rt_buffer;

typedef struct rt_schedule {
    rt_graph *graph;
    rt_optimizations optimizations;
    rt_group *groups; /* in the order of running */
    size_t group_count;
    rt_buffer *buffers; /* inputs in the graph's order, then named outputs, then locals */
    size_t buffer_count;
    rt_storage *storage; /* by value, of roots: see rt_schedule_storage */
    rt_boundary_note *notes;
    size_t note_count;
} rt_schedule;

/* Schedules a graph in RT_FORM_LEGAL after `expand`. Appends copies to the graph where an output
 * needs one. Everything is in `arena`. */
RT_MUST_CHECK rt_status rt_schedule_create(rt_graph *graph, rt_optimizations optimizations,
                                           rt_arena *arena, rt_schedule *schedule, rt_error *error);

/* Where a value lies, looking through views. */
rt_storage rt_schedule_storage(const rt_schedule *schedule, rt_value value);

/* A line per group and per buffer, in `arena`; values are numbered as rt_print_graph does. */
const char *rt_schedule_text(const rt_schedule *schedule, rt_arena *arena);

/* What was fused with what, and why each value that passes between two groups goes through memory:
 * a line per group, and below it one per value and reader. In `arena`. */
const char *rt_schedule_fusion_text(const rt_schedule *schedule, rt_arena *arena);

/* Whether `member` of a row group may be written over the memory of root `input`, which the group
 * reads: every element is read at its own place, and for the last time before it is written. */
bool rt_group_may_overwrite(const rt_group *group, const rt_member *member, rt_value input);

#endif
