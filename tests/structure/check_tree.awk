# check_tree.awk TABLE FILE...: see check_tree.sh. Paths are relative to the root of the tree.

function report(text) {
    printf "%s:%d: error: %s\n", FILENAME, FNR, text
    is_wrong = 1
}

# Whether `path` is `entry` or lies below it.
function lies_in(path, entry) {
    return path == entry || substr(path, 1, length(entry) + 1) == entry "/"
}

function is_allowed(path, entries,    parts, count, i) {
    count = split(entries, parts, " ")
    for (i = 1; i <= count; ++i) {
        if (lies_in(path, parts[i])) return 1
    }
    return 0
}

function folder_of(path) {
    return match(path, /\/[^\/]*$/) ? substr(path, 1, RSTART - 1) : "."
}

# The longest row that the current file is in; "" where there is none.
function row_of_file(    folder, best) {
    best = ""
    for (folder in allowed) {
        if (lies_in(FILENAME, folder) && length(folder) > length(best)) best = folder
    }
    return best
}

# A header of others: only those named in its row may include it.
function check_foreign(header,    row) {
    for (row in users) {
        if (header != row && !(row ~ /\/$/ && index(header, row) == 1)) continue
        if (!is_allowed(FILENAME, users[row])) {
            report("only " users[row] " may include " header)
        }
        return 1
    }
    return 0
}

function check_own(header,    row) {
    if (folder_of(header) == folder_of(FILENAME)) return
    row = row_of_file()
    if (row == "") {
        report("the folder of this file has no row in the table")
    } else if (!is_allowed(header, allowed[row])) {
        report(row " may not include " header)
    }
}

NR == FNR {
    if ($0 ~ /^(#|$)/) next
    colon = index($0, ":")
    key = substr($0, 1, colon - 1)
    rest = substr($0, colon + 1)
    sub(/^ */, "", rest)
    if (key ~ /^[<"]/) users[substr(key, 2, length(key) - 2)] = rest
    else allowed[key] = rest
    next
}

FNR == 1 && FILENAME ~ /\.[ch]$/ && $0 != "// SPDX-License-Identifier: Apache-2.0" {
    report("the first line must be // SPDX-License-Identifier: Apache-2.0")
}

FNR == 801 { report("a file has at most 800 lines; split it by family") }

/(TODO|FIXME)/ || /^ *# *if 0 *$/ { report("finish it or leave it out: " $0) }

/^[^"]*case +RT_OP_/ {
    report("operators are told apart by rows of ir/ops.def and by tables over them, not by switch")
}

/^ *# *include *</ {
    header = $0
    sub(/^[^<]*</, "", header)
    sub(/>.*/, "", header)
    check_foreign(header)
}

/^ *# *include *"/ {
    header = $0
    sub(/^[^"]*"/, "", header)
    sub(/".*/, "", header)
    if (!check_foreign(header)) check_own(header)
}

END { exit is_wrong }
