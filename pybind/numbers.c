//go:build gopy_binding

/* What a mirror knows of each number: a hash table, so that memory goes by how many numbers there are and not by the largest
 * of them. Open addressing; a number that is dropped leaves no mark, because those behind it move up. */
#include "mirror.h"

#define SMALLEST 8

static uint32_t home(const ga_mirror *m, int32_t fd)
{
    return (uint32_t)fd * 0x9E3779B9u >> m->number_shift;
}

static ga_number *place(const ga_mirror *m, int32_t fd)
{
    uint32_t i = home(m, fd), mask = (uint32_t)m->number_size - 1;
    while (m->numbers[i].fd >= 0 && m->numbers[i].fd != fd)
        i = (i + 1) & mask;
    return &m->numbers[i];
}

ga_number *ga_number_at(const ga_mirror *m, int32_t fd)
{
    if (!m->number_size || fd < 0)
        return NULL;
    ga_number *n = place(m, fd);
    return n->fd == fd ? n : NULL;
}

/* 0, or -1 without an exception: then nothing has changed. */
static int resize(ga_mirror *m, int32_t size)
{
    ga_number *before = m->numbers, *numbers = PyMem_RawMalloc((size_t)size * sizeof *numbers);
    int32_t count = m->number_size;
    if (!numbers)
        return -1;
    for (int32_t i = 0; i < size; i++)
        numbers[i].fd = -1;
    m->numbers = numbers;
    m->number_size = size;
    m->number_shift = 32;
    for (; size > 1; size /= 2)
        m->number_shift--;
    for (int32_t i = 0; i < count; i++)
        if (before[i].fd >= 0)
            *place(m, before[i].fd) = before[i];
    PyMem_RawFree(before);
    return 0;
}

ga_number *ga_number_made(ga_mirror *m, int32_t fd)
{
    ga_number *n = ga_number_at(m, fd);
    if (n)
        return n;
    if ((m->number_count + 1) * 3 > m->number_size * 2 && resize(m, m->number_size ? m->number_size * 2 : SMALLEST) < 0)
        return NULL;
    n = place(m, fd);
    *n = (ga_number){.fd = fd};
    m->number_count++;
    return n;
}

void ga_number_drop_unused(ga_mirror *m, int32_t fd)
{
    ga_number *n = ga_number_at(m, fd);
    if (!n || n->channel || n->told || n->queued)
        return;
    m->number_count--;
    uint32_t mask = (uint32_t)m->number_size - 1, hole = (uint32_t)(n - m->numbers);
    for (uint32_t i = (hole + 1) & mask; m->numbers[i].fd >= 0; i = (i + 1) & mask)
        if (((i - home(m, m->numbers[i].fd)) & mask) >= ((i - hole) & mask)) { /* it stands no nearer to its home than the hole does */
            m->numbers[hole] = m->numbers[i];
            hole = i;
        }
    m->numbers[hole].fd = -1;
    if (m->number_size > SMALLEST && m->number_count * 8 < m->number_size)
        resize(m, m->number_size / 2); /* without memory it stays large */
}
