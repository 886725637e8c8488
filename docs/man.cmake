# SPDX-License-Identifier: Apache-2.0
# Run as a script: copies IN to OUT and puts the option tables that TAILRACE prints in the place of
# the lines @main@, @source@, @rule@ and @documents@, so that the page says what the program checks.
file(READ ${IN} page)
foreach(table main source rule documents)
    execute_process(COMMAND ${TAILRACE} plugins --core ${table} --man
                    OUTPUT_VARIABLE paragraphs COMMAND_ERROR_IS_FATAL ANY)
    string(REPLACE "@${table}@\n" "${paragraphs}" page "${page}")
endforeach()
file(WRITE ${OUT} "${page}")
