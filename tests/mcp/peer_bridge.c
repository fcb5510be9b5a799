/* The bridge by itself, as voxring-toolhost runs it. */
#include "tools/mcp/mcp.h"

int
main(int argc, char **argv)
{
    return mcp_main(argc - 1, argv + 1);
}
