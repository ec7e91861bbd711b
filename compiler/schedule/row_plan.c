// SPDX-License-Identifier: Apache-2.0
/* Phases of a row group. A reduction is known when its pass over the row is over, so what depends
 * on it waits for the next pass. A value that a later pass needs again is read back where it is
 * stored, computed again where that is cheap, and kept in scratch otherwise. */
#include "compiler/schedule/schedule_impl.h"
#include "compiler/schedule/traits.h"
#include "runtime/base/check.h"

enum { MAX_REPEATED_COST = 3, MAX_PHASES = 32 };

static bool is_vector(const rt_member *member) {
    return !member->is_reduction &&
           (member->map == RT_ACCESS_FULL || member->map == RT_ACCESS_COLUMN);
}

static void find_phases(rt_group *group) {
    group->phase_count = 1;
    for (size_t i = 0; i < group->member_count; ++i) {
        rt_member *member = &group->members[i];
        for (unsigned k = 0; k < member->operand_count; ++k) {
            if (member->accesses[k].member < 0) continue;
            const rt_member *operand = &group->members[member->accesses[k].member];
            unsigned ready = operand->phase + (operand->is_reduction ? 1 : 0);
            if (ready > member->phase) member->phase = ready;
        }
        bool needs_pass = member->is_reduction || (is_vector(member) && member->is_stored);
        if (needs_pass && member->phase >= group->phase_count)
            group->phase_count = member->phase + 1;
    }
    RT_ASSERT(group->phase_count <= MAX_PHASES);
}

/* Subtracts from *budget the cost of computing `member` again; false where it does not suffice. */
static bool is_cheap(const rt_group *group, const rt_member *member, unsigned *budget) {
    unsigned cost = rt_op_cost(member->op);
    if (cost > *budget) return false;
    *budget -= cost;
    for (unsigned k = 0; k < member->operand_count; ++k) {
        int index = member->accesses[k].member;
        if (index < 0 || !is_vector(&group->members[index])) continue;
        const rt_member *operand = &group->members[index];
        bool is_kept = operand->is_stored || operand->scratch_row >= 0;
        if (!is_kept && !is_cheap(group, operand, budget)) return false;
    }
    return true;
}

static void need(rt_group *group, int index, unsigned phase);

static void need_operands(rt_group *group, const rt_member *member, unsigned phase) {
    for (unsigned k = 0; k < member->operand_count; ++k)
        if (member->accesses[k].member >= 0) need(group, member->accesses[k].member, phase);
}

/* Makes vector member `index` available in `phase`; earlier phases are settled. */
static void need(rt_group *group, int index, unsigned phase) {
    rt_member *member = &group->members[index];
    uint32_t bit = UINT32_C(1) << phase;
    unsigned budget = MAX_REPEATED_COST;
    if (!is_vector(member) || ((member->computed | member->reloaded) & bit)) return;
    bool is_first = !member->computed;
    bool is_kept = member->is_stored || member->scratch_row >= 0;
    if (!is_first && !is_kept && !is_cheap(group, member, &budget)) {
        member->scratch_row = (int)group->scratch_rows++;
        is_kept = true;
    }
    if (!is_first && is_kept) {
        member->reloaded |= bit;
        return;
    }
    member->computed |= bit;
    need_operands(group, member, phase);
}

void rt_plan_rows(rt_group *group) {
    find_phases(group);
    for (unsigned phase = 0; phase < group->phase_count; ++phase)
        for (size_t i = 0; i < group->member_count; ++i) {
            rt_member *member = &group->members[i];
            if (member->phase != phase) continue;
            if (member->is_reduction) {
                member->computed = UINT32_C(1) << phase;
                need_operands(group, member, phase);
            } else if (member->is_stored) {
                need(group, (int)i, phase);
            }
        }
}

/* The last phase in which a vector member or a reduction reads its operands. */
static unsigned last_phase(const rt_member *member) {
    return member->computed ? 31u - (unsigned)__builtin_clz(member->computed) : 0;
}

bool rt_group_may_overwrite(const rt_group *group, const rt_member *member, rt_value input) {
    if (group->kind != RT_GROUP_ROW) return false;
    for (size_t i = 0; i < group->member_count; ++i)
        for (unsigned k = 0; k < group->members[i].operand_count; ++k) {
            const rt_access *access = &group->members[i].accesses[k];
            if (!rt_value_equal(access->root, input) || access->member >= 0) continue;
            if (access->kind != member->map) return false;
            /* Row values are all read before the row's first pass. */
            if (access->kind == RT_ACCESS_FULL && last_phase(&group->members[i]) > member->phase)
                return false;
        }
    return true;
}
