/*
 * table.h: contract.def with every macro empty; what a target wants of the table it defines before including this.
 * It never has an include guard: it is included once for each use of the table. What must stay true: all macros are
 * undefined again at its end.
 */
#ifndef CONTRACT_VERSION
#define CONTRACT_VERSION(number)
#endif
#ifndef MESSAGE
#define MESSAGE(name, number, direction)
#endif
#ifndef FIELD
#define FIELD(message, type, name)
#endif
#define NAME(table, name, number)
#define NUMBER(name, number)
#include "../contract.def"
#undef CONTRACT_VERSION
#undef MESSAGE
#undef FIELD
#undef NAME
#undef NUMBER
