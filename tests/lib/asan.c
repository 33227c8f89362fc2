/*
 * asan.c: how the sanitizers behave in tests, where they are linked at all.
 */

/* Tests ask for absurd sizes; the answer that is tested is "no", not an end of the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
